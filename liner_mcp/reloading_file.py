"""A file of settings that is read again when it changes while the server runs.

If the new content cannot be used (deleted, unreadable, invalid), the last valid content stays in force and one warning
is logged: a typing error must not lock all callers out. Log lines give line numbers and never the content.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from liner_mcp.errors import SettingsError
from liner_mcp.files import reason, shared_permissions

logger = logging.getLogger(__name__)

T = TypeVar("T")
FileStamp = tuple[int, ...]

MAX_FILE_BYTES = 1_000_000  # ten thousand lines; more is another file


class InvalidFile(ValueError):
    """The content cannot be used. The message is the end of a sentence about the file and names the line or key."""


class ReloadingFile(Generic[T]):
    """The file of the setting `variable`, parsed by `read`. It holds names and no secrets.

    With `risk`, what other users could do by writing to the file, a warning is logged when its permissions let them in.
    Raises: SettingsError, on creation, if the file cannot be used.
    """

    def __init__(
        self,
        variable: str,
        path: Path,
        read: Callable[[bytes], T],
        *,
        risk: str | None = None,
    ) -> None:
        self._variable = variable
        self._read = read
        self._risk = risk
        self._stamp: FileStamp | None = None
        self._mode: int | None = None
        self._last_error: str | None = None
        try:
            self._path = path.expanduser()
            self._content = self._load()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: an unknown ~user
            raise SettingsError(f"{variable} cannot be used: {_trouble(error, path)}.") from None

    def content(self) -> T:
        """The current content, or the last valid one. To check for a change costs microseconds."""
        try:
            if _stamp(self._path.stat()) != self._stamp:
                self._content = self._load()
                if self._last_error is not None:
                    self._last_error = None
                    logger.warning("%s can be used again and is in force.", self._variable)
        except (OSError, ValueError) as error:
            trouble = _trouble(error, self._path)
            if trouble != self._last_error:
                self._last_error = trouble
                logger.warning("%s cannot be used: %s. Its last valid content stays in force.", self._variable, trouble)
        return self._content

    def _load(self) -> T:
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise InvalidFile("it is not a file")  # opening a pipe would wait for a writer
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(MAX_FILE_BYTES + 1)
        # Invalid content is not parsed again until the file changes. A file that could not be read is tried again.
        self._stamp = _stamp(status)
        if len(content) > MAX_FILE_BYTES:
            raise InvalidFile(f"it has more than {MAX_FILE_BYTES:,} bytes")
        made = self._read(content)
        mode = shared_permissions(status.st_mode)
        if self._risk is not None and mode != self._mode:
            self._mode = mode
            self._warn_of_permissions(mode)
        return made

    def _warn_of_permissions(self, mode: int) -> None:
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            logger.warning("%s can be written by other users, who %s. Run chmod 600 on it.", self._variable, self._risk)
        elif mode & stat.S_IROTH:
            logger.warning(
                "%s can be read by all users of this machine: it holds names, though no tokens. Run chmod 600 on it.",
                self._variable,
            )


def _stamp(status: os.stat_result) -> FileStamp:
    # The change time also covers permission bits, and files that are copied with their modification time.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def _trouble(error: Exception, path: Path) -> str:
    return str(error) if isinstance(error, InvalidFile) else f"it cannot be read ({reason(error, path)})"
