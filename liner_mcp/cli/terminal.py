"""What a command shows a person: lines that fit the terminal, and the progress of long work."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import Any

COLUMNS = 80  # without a terminal, as in a file or a mail


def print_wrapped(text: str, indent: int) -> None:
    """Print one entry. Its lines after the first are indented. A long word, such as an address, is not broken."""
    width = shutil.get_terminal_size((COLUMNS, 24)).columns
    lines = textwrap.wrap(
        text,
        max(width, indent + 20),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    print(*lines, sep="\n", flush=True)


def print_json(document: dict[str, Any]) -> None:
    """Print one line of JSON, in ASCII where the output is not UTF-8."""
    escape = not (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(document, ensure_ascii=escape, allow_nan=False))


def confirmed(question: str) -> bool:
    """Whether the person at the terminal answers yes."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


class Progress:
    """One line on stderr that says what is being done, if that is a terminal. `clear` it before other output."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, text: str) -> None:
        """Replace the line."""
        if sys.stderr.isatty():
            self.clear()
            shown = text[: COLUMNS - 1]
            print(shown, end="", file=sys.stderr, flush=True)
            self._shown = len(shown)

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0
