"""One writer per archive: among all processes of the machine for a file, among all machines for a database."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from liner_mcp.archive import postgres
from liner_mcp.archive.connection import Location, WrongArchive
from liner_mcp.archive.sqlite import MISSING_EXTRA
from liner_mcp.errors import SetupError


class ArchiveLocked(WrongArchive):
    """Another process does this for the same archive."""


@contextmanager
def writer_lock(location: Location) -> Generator[None]:
    """Hold the lock of the archive. It is released when the process ends, however it ends.

    Raises: ArchiveLocked when another process holds it.
    """
    place = location if isinstance(location, Path) else "in the database"
    sentence = f"Another process writes to the archive {place}. Wait until it has finished, then run this again."
    with _lock(location, "lock", sentence):
        yield


@contextmanager
def server_lock(location: Location) -> Generator[Callable[[], bool]]:
    """The same for the one server that syncs the archive from time to time. The function says whether it is still
    held: a database server that restarts has no locks.
    """
    with _lock(location, "server.lock", "Another server syncs the archive.") as is_held:
        yield is_held


@contextmanager
def _lock(location: Location, purpose: str, sentence: str) -> Generator[Callable[[], bool]]:
    if isinstance(location, Path):
        with _file_lock(location.with_name(f"{location.name}.{purpose}"), sentence):
            yield lambda: True
        return
    with postgres.locked(location, purpose) as is_held:
        if is_held is None:
            raise ArchiveLocked(sentence)
        yield is_held


@contextmanager
def _file_lock(file: Path, sentence: str) -> Generator[None]:
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
