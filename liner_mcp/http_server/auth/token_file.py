"""Authentication by a file of named tokens, for a team without an issuer. One line for a token, `name:sha256`.

The file is read again when it changes, so a token is revoked with the next request after its line is taken out. The
file stores no token: a token is 256 random bits, so its plain SHA-256 cannot be reversed, and a slow hash would only
slow every request. Error sentences name lines and never show what stands in them: it could be a token, by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from liner_mcp.http_server.auth.bearer import INVALID, Rejection, bearer_token
from liner_mcp.reloading_file import InvalidFile, ReloadingFile
from liner_mcp.server.caller import Caller

VARIABLE = "LINER_MCP_TOKENS_FILE"
MAX_TOKENS_PER_NAME = 2  # the old and the new token while one replaces the other; a third is one that was forgotten
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")

logger = logging.getLogger(__name__)


class TokenFile:
    """The callers whose tokens stand in the file.

    Raises: SettingsError, when it is made, for a file that cannot be used.
    """

    resource = None  # tokens come from the operator

    def __init__(self, path: Path) -> None:
        self._file = ReloadingFile(VARIABLE, path, parse_entries, check_mode=_check_permissions)
        if not self._file.content():
            logger.warning(
                "%s holds no token: everyone is refused. Make one with: liner-mcp token NAME --add", VARIABLE
            )

    async def identify(self, authorization: str | None) -> Caller | Rejection:
        entries = self._file.content()
        token = bearer_token(authorization)
        if isinstance(token, Rejection):
            return token
        name = token_owner(token, entries)
        return INVALID if name is None else Caller(name)


def _check_permissions(mode: int) -> None:
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        logger.warning(
            "%s can be written by others than its owner, who could let themselves in. Run chmod 600 on it.", VARIABLE
        )
    elif mode & stat.S_IROTH:
        logger.warning(
            "%s can be read by everyone on this machine: it tells names, though no tokens. Run chmod 600 on it.",
            VARIABLE,
        )


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One token of the file: whose it is, and its SHA-256."""

    name: str
    digest: bytes


def parse_entries(content: bytes) -> list[TokenEntry]:
    """The entries of a file's content; blank lines and lines that begin with # are nothing.

    Raises: InvalidFile.
    """
    entries: list[TokenEntry] = []
    lines: dict[bytes, int] = {}
    held: Counter[str] = Counter()
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        name, _, digest = (part.strip() for part in line.partition(":"))
        if not NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
            raise InvalidFile(f"line {number} is not name:sha256, as 'liner-mcp token NAME' writes it")
        entry = TokenEntry(name, bytes.fromhex(digest))
        if entry.digest in lines:
            raise InvalidFile(f"line {number} holds the same token as line {lines[entry.digest]}")
        if held[name] == MAX_TOKENS_PER_NAME:
            raise InvalidFile(f"line {number} is a third token of one name; two may stand while one replaces the other")
        entries.append(entry)
        lines[entry.digest] = number
        held[name] += 1
    return entries


def token_owner(token: str, entries: list[TokenEntry]) -> str | None:
    """The name under which a token stands. Every entry is compared, so that the time does not tell which one it was."""
    digest = hashlib.sha256(token.encode()).digest()
    found: str | None = None
    for entry in entries:
        if hmac.compare_digest(entry.digest, digest):
            found = entry.name
    return found
