"""A file of named tokens: who may come in when there is no issuer. One line for a token, `name:sha256`.

Nothing that opens the door is stored: a token is 256 random bits, so its plain SHA-256 cannot be turned back, and a
slow hash would only slow every request. Sentences name lines and never show what stands in them: it could be a token,
by mistake. How a server follows the file is in `token_file.py`; making a token needs no server.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from liner_mcp.errors import SetupError
from liner_mcp.files import reason, write_atomically
from liner_mcp.reloading_file import InvalidFile

VARIABLE = "LINER_MCP_TOKENS_FILE"
PREFIX = "lmcp_"  # scanners that look for leaked secrets can know our tokens by it
MAX_TOKENS_PER_NAME = 2  # the old and the new token while one replaces the other; a third is one that was forgotten

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")


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
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
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


# making a token -----------------------------------------------------------------------------------------------------


def create_token(name: str) -> tuple[str, str]:
    """A new token and the line of the file that lets it in.

    Raises: SetupError for a name that cannot stand in the file.
    """
    if not _NAME.fullmatch(name):
        raise SetupError("A name has 1 to 64 letters (A to Z), digits, dots, hyphens and underscores, such as anna.")
    token = PREFIX + secrets.token_urlsafe(32)
    return token, f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"


def add_token_line(path: Path, line: str, *, rotate: bool) -> int:
    """Put a line at the end of the file, in one step; how many tokens of its name the file then holds.

    A new file is its owner's alone (0600), another keeps its rights. `rotate` allows a second token of a name.
    Raises: SetupError, and then the file is as it was.
    """
    try:
        return _append(path.expanduser(), line, rotate=rotate)
    except InvalidFile as error:
        raise SetupError(f"{VARIABLE} cannot be added to: {error}. Mend it first; nothing was written.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SetupError(f"{VARIABLE} cannot be written: {reason(error)}. Nothing was written.") from None


def _append(path: Path, line: str, *, rotate: bool) -> int:
    before = path.read_bytes() if path.exists() else None
    name = line.partition(":")[0]
    held = Counter(entry.name for entry in parse_entries(before or b""))[name]
    if held == MAX_TOKENS_PER_NAME:
        raise SetupError(f"{name} has two tokens in {VARIABLE}. Take the old line out first; nothing was written.")
    if held and not rotate:
        raise SetupError(
            f"{name} has a token in {VARIABLE} already. Choose another name, or add --rotate to let a second one stand "
            "beside it while it is replaced; nothing was written."
        )
    gap = b"\n" if before and not before.endswith(b"\n") else b""
    write_atomically(path, (before or b"") + gap + line.encode() + b"\n", before=before)
    return held + 1
