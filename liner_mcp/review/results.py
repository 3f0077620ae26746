"""The folder of a review: a file of scorecards to which runs append, the report, the CSV, and a lock.

The folder and the files are for their owner only, because they hold words of clients.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from liner_mcp.errors import SetupError
from liner_mcp.files import make_folders, reason, write_atomically
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

        try:
            new = not self.folder.exists()
            make_folders(self.folder)
            if new:
                self.folder.chmod(0o700)
            lock = FileLock(self.folder / ".lock", mode=0o600, blocking=False).acquire()
        except Timeout:
            raise SetupError(f"--out: another review is writing to {self.folder}; wait for its end.") from None
        except OSError as error:
            raise SetupError(f"--out: {self.folder} cannot be written: {reason(error)}.") from None
        with lock:
            yield

    @contextmanager
    def appending(self) -> Generator[CardFile]:
        """The file of cards, to append to. A part of a card at its end, left by a killed run, is removed."""
        try:
            file = os.open(self.path("jsonl"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SetupError(f"--out: {self.path('jsonl')} cannot be written: {reason(error)}.") from None
        try:
            content = self.path("jsonl").read_bytes()
            os.truncate(file, content.rfind(b"\n") + 1)
            yield CardFile(file, self.path("jsonl"))
        finally:
            os.close(file)

    def write(self, ending: str, content: bytes) -> None:
        """Replace the report or the CSV in one step. Raises: SetupError."""
        path = self.path(ending)
        try:
            write_atomically(path, content, before=path.read_bytes() if path.exists() else None)
        except OSError as error:
            raise SetupError(f"--out: {path} cannot be written: {reason(error)}.") from None


class CardFile:
    """An open file of cards."""

    def __init__(self, file: int, path: Path) -> None:
        self._file, self._path = file, path

    def append(self, card: Scorecard) -> None:
        """Write one card at once, so that it survives a killed run. Raises: SetupError, as on a full disk."""
        line = card.line().encode()
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise SetupError(f"--out: {self._path} cannot be written: {reason(error)}.") from None
