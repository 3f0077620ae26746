"""`liner-mcp token`: creates a token for a caller over HTTP, and adds its line to the file of tokens."""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
from collections import Counter
from pathlib import Path

from liner_mcp.errors import SetupError, UsageError
from liner_mcp.files import reason, write_atomically
from liner_mcp.http_server.auth.token_file import MAX_TOKENS_PER_NAME, NAME, VARIABLE, parse_entries
from liner_mcp.reloading_file import InvalidFile
from liner_mcp.settings import read_settings

PREFIX = "lmcp_"  # scanners for leaked secrets can recognise it


def token(options: argparse.Namespace) -> int:
    if options.rotate and not options.add:
        raise UsageError("--rotate is for --add: it allows a second token of a name in the file.")
    new, line = create_token(options.name)
    held = 0
    if options.add:
        path = read_settings().mcp_tokens_file
        if path is None:
            raise SetupError(f"Set {VARIABLE} to the file first; nothing was written.")
        held = add_token_line(path, line, rotate=options.rotate)
    print(new)  # alone on its line, for programs
    if options.add:
        print(f"The token of {options.name}, shown this once. Its line is in {VARIABLE}.", file=sys.stderr)
    else:
        print(line)
        print(
            f"First the token of {options.name}, shown this once; then the line for {VARIABLE} (--add adds it).",
            file=sys.stderr,
        )
    if held > 1:
        print("The old one also works until you remove its line, the upper of the two.", file=sys.stderr)
    return 0


def create_token(name: str) -> tuple[str, str]:
    """A new token and its line for the file. Raises: UsageError for an invalid name."""
    if not NAME.fullmatch(name):
        raise UsageError("A name has 1 to 64 letters (A to Z), digits, dots, hyphens and underscores, such as anna.")
    token = PREFIX + secrets.token_urlsafe(32)
    return token, f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"


def add_token_line(path: Path, line: str, *, rotate: bool) -> int:
    """Append a line to the file in one step and return the number of tokens of its name.

    A new file gets the mode 0600, another keeps its mode. `rotate` allows a second token of a name.
    Raises: SetupError, and then the file is unchanged.
    """
    name = line.partition(":")[0]
    try:
        path = path.expanduser()
        before = path.read_bytes() if path.exists() else None
        held = Counter(entry.name for entry in parse_entries(before or b""))[name]
        if held == MAX_TOKENS_PER_NAME:
            raise SetupError(f"{name} has two tokens in {VARIABLE}. Take the old line out first; nothing was written.")
        if held and not rotate:
            raise SetupError(
                f"{name} has a token in {VARIABLE} already. Choose another name, or add --rotate to let a second one "
                "stand beside it while it is replaced; nothing was written."
            )
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        write_atomically(path, (before or b"") + gap + line.encode() + b"\n", before=before)
    except InvalidFile as error:
        raise SetupError(f"{VARIABLE} cannot be added to: {error}. Fix it first; nothing was written.") from None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: an unknown ~user
        raise SetupError(f"{VARIABLE} cannot be written: {reason(error, path)}. Nothing was written.") from None
    return held + 1
