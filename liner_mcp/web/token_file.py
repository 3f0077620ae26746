"""Authenticating by a file of tokens that may change at any moment.

The file is read again when it changes, so taking a line out locks its token out with the next request.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from liner_mcp.errors import SettingsError
from liner_mcp.server.callers import Caller
from liner_mcp.web.bearer import INVALID, Refusal, bearer_token
from liner_mcp.web.tokens import VARIABLE, BrokenFile, Entry, owner_of, read_entries

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 1_000_000  # ten thousand lines; more is another file

Stamp = tuple[int, ...]


class TokenFile:
    """The callers whose tokens stand in the file.

    What cannot be used while serving (gone, unreadable, a broken line) leaves the last good entries in force, and says
    so once: a slip of an editor must not lock everyone out, and cannot let anyone in.

    Raises: SettingsError, when it is made, for a file that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._entries: list[Entry] = []
        self._stamp: Stamp | None = None
        self._trouble: str | None = None
        self._mode: int | None = None
        try:
            self._path = path.expanduser()
            self._load()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a ~user that nobody is
            raise SettingsError(f"{VARIABLE} cannot be used: {_reason(error)}.") from None
        if not self._entries:
            logger.warning(
                "%s holds no token: everyone is refused. Make one with: liner-mcp token NAME --add", VARIABLE
            )

    async def identify(self, authorization: str | None) -> Caller | Refusal:
        self._refresh()
        token = bearer_token(authorization)
        if isinstance(token, Refusal):
            return token
        name = owner_of(token, self._entries)
        return INVALID if name is None else Caller(name)

    def _refresh(self) -> None:
        """Read the file again if it changed. Asking for its stamp at every request costs microseconds."""
        try:
            if _stamp(self._path.stat()) == self._stamp:
                return
            self._load()
        except (OSError, ValueError) as error:
            trouble = _reason(error)
            if trouble != self._trouble:
                self._trouble = trouble
                logger.warning(
                    "%s cannot be used: %s. The tokens read before (%d) stay in force.",
                    VARIABLE,
                    trouble,
                    len(self._entries),
                )
            return
        if self._trouble is not None:
            self._trouble = None
            logger.warning("%s can be used again; the tokens in it (%d) are in force.", VARIABLE, len(self._entries))

    def _load(self) -> None:
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise BrokenFile("it is not a file")  # opening a pipe would wait for somebody to write
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(MAX_FILE_BYTES + 1)
        # What was read and is broken stays so until the file changes; what could not be read is tried again.
        self._stamp = _stamp(status)
        if len(content) > MAX_FILE_BYTES:
            raise BrokenFile(f"it has more than {MAX_FILE_BYTES:,} bytes")
        self._entries = read_entries(content)
        self._look_at_rights(stat.S_IMODE(status.st_mode))

    def _look_at_rights(self, mode: int) -> None:
        if os.name != "posix" or mode == self._mode:
            return
        self._mode = mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            logger.warning(
                "%s can be written by others than its owner, who could let themselves in. Run chmod 600 on it.",
                VARIABLE,
            )
        elif mode & stat.S_IROTH:
            logger.warning(
                "%s can be read by everyone on this machine: it tells names, though no tokens. Run chmod 600 on it.",
                VARIABLE,
            )


def _stamp(status: os.stat_result) -> Stamp:
    # The change time notices rights and a copied modification time.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror or 'the system refuses'})"
    return str(error) if isinstance(error, BrokenFile) else "it is not a path"
