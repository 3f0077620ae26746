"""The folder of a review: a file of scorecards to which runs append, the report, the CSV, and a lock.

The folder and the files are for their owner only, because they hold words of clients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from liner_mcp.errors import SetupError
from liner_mcp.files import explained, make_folders, write_atomically
from liner_mcp.review.scorecard import Scorecard, read_cards


class Results:
    """The files of one period and rubric: `stem` with .jsonl, .html and .csv."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self._stem = folder, stem

    def path(self, ending: str) -> Path:
        return self.folder / f"{self._stem}.{ending}"

    def cards(self) -> list[Scorecard]:
        """The cards of earlier runs. Raises: SetupError."""
        return read_cards(self.path("jsonl")) if self.path("jsonl").exists() else []

    @contextmanager
    def locked(self) -> Generator[None]:
        """Make the folder, and keep other runs away from it until this process ends. Raises: SetupError."""
        from filelock import FileLock, Timeout  # of the extra, so not at import

        with explained(f"--out: {self.folder} cannot be written"):
            new = not self.folder.exists()
            make_folders(self.folder)
            if new:
                self.folder.chmod(0o700)
            try:
                lock = FileLock(self.folder / ".lock", mode=0o600, blocking=False).acquire()
            except Timeout:
                raise SetupError(f"--out: another review is writing to {self.folder}; wait for its end.") from None
        with lock:
            yield

    @contextmanager
    def appending(self) -> Generator[Callable[[Scorecard], None]]:
        """A function that writes one card at once, so that it survives a killed run, and raises SetupError.

        A part of a card at the end of the file, left by a killed run, is removed.
        """
        path = self.path("jsonl")
        failed = f"--out: {path} cannot be written"
        with explained(failed):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

        def append(card: Scorecard) -> None:
            line = card.line().encode()
            with explained(failed):
                while line:
                    line = line[os.write(file, line) :]

        try:
            os.truncate(file, path.read_bytes().rfind(b"\n") + 1)
            yield append
        finally:
            os.close(file)

    def write(self, ending: str, content: bytes) -> None:
        """Replace the report or the CSV in one step. Raises: SetupError."""
        path = self.path(ending)
        with explained(f"--out: {path} cannot be written"):
            write_atomically(path, content, before=path.read_bytes() if path.exists() else None)
