"""Reasons why a file cannot be used, and atomic writes."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from liner_mcp.errors import SetupError

MAX_PATH_CHARACTERS = 200  # of a path in an error: longer than usual ones, and still a readable sentence


def reason(error: Exception, path: Path | None = None) -> str:
    """Why a path cannot be used, as a part of a sentence. Other errors than OSError mean that it is no path.

    `path` is named too, but only a full one: another text may be a secret in the place of its file.
    """
    if not isinstance(error, OSError):
        return "it is not a path"
    why, text = error.strerror or "the system refuses", "" if path is None else str(path)
    full = path is not None and (path.is_absolute() or text.startswith("~"))
    return f"{why} at {text}" if full and text.isprintable() and len(text) <= MAX_PATH_CHARACTERS else why


@contextmanager
def explained(what: str) -> Generator[None]:
    """Raises SetupError for an OSError in the block: `what` fails, such as "reviews cannot be written", and why."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"{what}: {reason(error)}.") from None


def shared_permissions(mode: int) -> int:
    """The permission bits that let other users of this machine read or write a file; 0 on Windows, which has none."""
    return mode & 0o066 if os.name == "posix" else 0


def is_exposed(path: Path) -> bool:
    """Whether other users can read or write this user's private file, by the rule of OpenSSH for private keys.

    A file of another user is left alone: secrets that are mounted into containers belong to root and are often readable
    by all. So is a path that cannot be read, because reading it says why.
    """
    try:
        status = path.expanduser().stat()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: an unknown ~user
        return False
    return os.name == "posix" and status.st_uid == os.geteuid() and shared_permissions(status.st_mode) != 0


def is_writable_by_all(folder: Path) -> bool:
    """Whether every user can put files into a folder. The sticky bit does not help: SQLite reads a log of changes that
    lies beside the archive.
    """
    try:
        mode = folder.stat().st_mode
    except OSError:  # using the folder says why
        return False
    return os.name == "posix" and mode & stat.S_IWOTH != 0


def make_folders(folder: Path) -> None:
    """Make a folder and those above it. If the superuser makes one, it belongs to the owner of the folder above."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        if _is_superuser():
            _give(one, one.parent.stat())


def write_atomically(
    path: Path, content: bytes, *, before: bytes | None, backup: Path | None = None, private: bool = False
) -> None:
    """Replace the content `before` of a file in one step. `before` is None if there is no file yet.

    A new file has the mode 0600, because it may hold a secret; if the superuser makes it, it belongs to the owner of
    its folder. An existing file keeps its owner and its mode; with `private`, other users lose their rights to it. The
    old content is written to `backup`, which must not
    exist yet and gets the mode 0600 and the same owner.
    Raises: OSError, and SetupError when the file no longer holds `before`; the file is unchanged then.
    """
    target = path.resolve()  # a symbolic link is kept
    old = None if before is None else target.stat()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if old is not None and os.name == "posix":
                new = os.fstat(file.fileno())
                if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                    _give(file.fileno(), old)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode) & (0o700 if private else 0o7777))
            elif _is_superuser():
                _give(file.fileno(), target.parent.stat())
        if (target.read_bytes() if target.exists() else None) != before:
            raise SetupError(f"{path} was changed by another program meanwhile. Run this again.")
        if backup is not None:
            write_atomically(backup, before or b"", before=None)
            if old is not None and _is_superuser():
                _give(backup, old)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _is_superuser() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _give(file: int | Path, owner: os.stat_result) -> None:
    if isinstance(file, int):
        os.fchown(file, owner.st_uid, owner.st_gid)
    else:
        os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)
