"""One writer per archive, among all processes of the machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from liner_mcp.archive.database import WrongArchive


@contextmanager
def writer_lock(path: Path) -> Generator[None]:
    """Hold the lock of the archive at `path`. The system releases it when the process ends, however it ends.

    Raises: WrongArchive when another process holds it.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"), mode=0o600, blocking=False)
    try:
        with lock:
            yield
    except Timeout:
        raise WrongArchive(
            f"Another process writes to the archive {path}. Wait until it has finished, then run this again."
        ) from None
