"""Authentication by a file of named tokens, for a team without an issuer. Each token has one line, `name:sha256`.

The file is read again when it changes, so a token is revoked as soon as its line is deleted. The file holds hashes
only: a token is 256 random bits, so its SHA-256 cannot be reversed, and a slow hash would only delay every request.
Error sentences give line numbers and never the content of a line, which could be a token by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from liner_mcp.http_server.auth.bearer import Rejection, invalid
from liner_mcp.reloading_file import InvalidFile, ReloadingFile
from liner_mcp.server.caller import Caller

VARIABLE = "LINER_MCP_TOKENS_FILE"
MAX_TOKENS_PER_NAME = 2  # the old and the new token during a rotation; a third one was forgotten
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")

logger = logging.getLogger(__name__)


class TokenFile:
    """Accepts the tokens in the file.

    Raises: SettingsError, on creation, if the file cannot be used.
    """

    resource = None  # tokens come from the operator

    def __init__(self, path: Path) -> None:
        self._file = ReloadingFile(VARIABLE, path, parse_entries, risk="could add tokens")
        if not self._file.content():
            logger.warning(
                "%s holds no token, so all callers are refused. Create one with: liner-mcp token NAME --add", VARIABLE
            )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(entry.name for entry in self._file.content())

    async def identify(self, token: str) -> Caller | Rejection:
        name = token_owner(token, self._file.content())
        return invalid("unknown_token") if name is None else Caller(name)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One token of the file: its owner's name and its SHA-256."""

    name: str
    digest: bytes


def parse_entries(content: bytes) -> list[TokenEntry]:
    """The entries in a file's content. Blank lines and lines that begin with # are ignored.

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
            raise InvalidFile(
                f"line {number} is a third token of one name; two are allowed, while one replaces the other"
            )
        entries.append(entry)
        lines[entry.digest] = number
        held[name] += 1
    return entries


def token_owner(token: str, entries: list[TokenEntry]) -> str | None:
    """The name of a token's owner. Every entry is compared, so that the time does not reveal which one matched."""
    digest = hashlib.sha256(token.encode()).digest()
    found: str | None = None
    for entry in entries:
        if hmac.compare_digest(entry.digest, digest):
            found = entry.name
    return found
