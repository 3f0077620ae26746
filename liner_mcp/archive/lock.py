"""One writer per archive, among all processes of the machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from liner_mcp.archive.connection import MISSING_EXTRA
from liner_mcp.archive.database import WrongArchive
from liner_mcp.errors import SetupError


class ArchiveLocked(WrongArchive):
    """Another process does this for the same archive."""


@contextmanager
def writer_lock(path: Path) -> Generator[None]:
    """Hold the lock of the archive at `path`. The system releases it when the process ends, however it ends.

    Raises: ArchiveLocked when another process holds it.
    """
    sentence = f"Another process writes to the archive {path}. Wait until it has finished, then run this again."
    with _lock(path.with_name(f"{path.name}.lock"), sentence):
        yield


@contextmanager
def server_lock(path: Path) -> Generator[None]:
    """The same for the one server that syncs the archive from time to time."""
    with _lock(path.with_name(f"{path.name}.server.lock"), f"Another server syncs the archive {path}."):
        yield


@contextmanager
def _lock(file: Path, sentence: str) -> Generator[None]:
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        raise SetupError(MISSING_EXTRA) from None
    lock = FileLock(file, mode=0o600, blocking=False)
    try:
        with lock:
            yield
    except Timeout:
        raise ArchiveLocked(sentence) from None
    except OSError as error:
        raise WrongArchive(f"LINER_ARCHIVE: {file} cannot be locked: {error.strerror}.") from None
