"""Reasons why a file cannot be used, and atomic writes."""

from __future__ import annotations

import os
import stat
import tempfile
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


def write_atomically(path: Path, content: bytes, *, before: bytes | None, backup: Path | None = None) -> None:
    """Replace the content `before` of a file in one step. `before` is None if there is no file yet.

    A new file has the mode 0600, because it may hold a secret. An existing file keeps its mode and its owner. The old
    content is written to `backup`, which must not exist yet.
    Raises: OSError, and SetupError when the file no longer holds `before`; the file is unchanged then.
    """
    target = path.resolve()  # a symbolic link is kept
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if before is not None and os.name == "posix":
                old, new = target.stat(), os.fstat(file.fileno())
                if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
        if (target.read_bytes() if target.exists() else None) != before:
            raise SetupError(f"{path} was changed by another program meanwhile. Run this again.")
        if backup is not None:
            write_atomically(backup, before or b"", before=None)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
