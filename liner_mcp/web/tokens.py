"""A file of named tokens: who may come in when there is no issuer. One line for a token, `name:sha256`.

Nothing that opens the door is stored: a token is 256 random bits, so its plain SHA-256 cannot be turned back, and a
slow hash would only slow every request. The file is read again when it changes, so taking a line out locks its token
out with the next request. Sentences name lines and never show what stands in them: it could be a token, by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from liner_mcp.errors import SettingsError, SetupError
from liner_mcp.server.callers import Caller
from liner_mcp.web.bearer import INVALID, Refusal, bearer_token

logger = logging.getLogger(__name__)

VARIABLE = "LINER_MCP_TOKENS_FILE"
PREFIX = "lmcp_"  # scanners that look for leaked secrets can know our tokens by it
MAX_FILE_BYTES = 1_000_000  # ten thousand lines; more is another file
LINES_OF_A_NAME = 2  # the old and the new token while one replaces the other; a third is one that was forgotten

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One token of the file: whose it is, its SHA-256, and on which line it stands."""

    name: str
    digest: bytes
    line: int


class BrokenFile(ValueError):
    """The message is the end of a sentence about the file, and names the line."""


def read_entries(content: bytes) -> list[Entry]:
    """The entries of a file's content; blank lines and lines that begin with # are nothing.

    Raises: BrokenFile.
    """
    entries: list[Entry] = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        name, _, digest = (part.strip() for part in line.partition(":"))
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
            raise BrokenFile(f"line {number} is not name:sha256, as 'liner-mcp token NAME' writes it")
        entry = Entry(name, bytes.fromhex(digest), number)
        twin = next((other.line for other in entries if other.digest == entry.digest), None)
        if twin is not None:
            raise BrokenFile(f"line {number} holds the same token as line {twin}")
        if sum(other.name == name for other in entries) == LINES_OF_A_NAME:
            raise BrokenFile(f"line {number} is a third token of one name; two may stand while one replaces the other")
        entries.append(entry)
    return entries


def owner_of(token: str, entries: list[Entry]) -> str | None:
    """The name under which a token stands. Every entry is compared, so that the time does not tell which one it was."""
    digest = hashlib.sha256(token.encode()).digest()
    found: str | None = None
    for entry in entries:
        if hmac.compare_digest(entry.digest, digest):
            found = entry.name
    return found


# the file while serving ---------------------------------------------------------------------------------------------

Stamp = tuple[int, ...]


class TokenFile:
    """Authenticates by a file that may change at any moment.

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


# making a token -----------------------------------------------------------------------------------------------------


def make(name: str) -> tuple[str, str]:
    """A new token and the line of the file that lets it in.

    Raises: SetupError for a name that cannot stand in the file.
    """
    if not _NAME.fullmatch(name):
        raise SetupError("A name has 1 to 64 letters (A to Z), digits, dots, hyphens and underscores, such as anna.")
    token = PREFIX + secrets.token_urlsafe(32)
    return token, f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"


def add(path: Path, line: str, *, rotate: bool) -> int:
    """Put a line at the end of the file, in one step; how many tokens of its name the file then holds.

    A new file is its owner's alone (0600), another keeps its rights. `rotate` allows a second token of a name.
    Raises: SetupError, and then the file is as it was.
    """
    try:
        return _append(path.expanduser().resolve(), line, rotate=rotate)
    except BrokenFile as error:
        raise SetupError(f"{VARIABLE} cannot be added to: {error}. Mend it first; nothing was written.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SetupError(f"{VARIABLE} cannot be written: {_refusal_of(error)}. Nothing was written.") from None


def _append(target: Path, line: str, *, rotate: bool) -> int:
    before = target.read_bytes() if target.exists() else None
    name = line.partition(":")[0]
    held = Counter(entry.name for entry in read_entries(before or b""))[name]
    if held == LINES_OF_A_NAME:
        raise SetupError(f"{name} has two tokens in {VARIABLE}. Take the old line out first; nothing was written.")
    if held and not rotate:
        raise SetupError(
            f"{name} has a token in {VARIABLE} already. Choose another name, or add --rotate to let a second one stand "
            "beside it while it is replaced; nothing was written."
        )
    gap = b"\n" if before and not before.endswith(b"\n") else b""
    _replace(target, before, (before or b"") + gap + line.encode() + b"\n")
    return held + 1


def _replace(target: Path, before: bytes | None, after: bytes) -> None:
    status = target.stat() if before is not None else None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
            if status is not None and os.name == "posix":
                # The server may run as another user than whoever adds to the file.
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
        if (target.read_bytes() if target.exists() else None) != before:
            raise SetupError(f"{VARIABLE} was changed by another program meanwhile. Run this again.")
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _refusal_of(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is not a path"
