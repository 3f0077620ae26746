"""The access rules of a shared server: what each caller may see, from the operator's file (LINER_MCP_ACCESS_FILE).

The file is TOML: a table per caller under `callers`, and `default` for all other callers. Without `default`, a caller
that is not named sees nothing. The file has ids, because names are reused. `liner/restricted_client.py` enforces the
rules.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liner_mcp.errors import SettingsError
from liner_mcp.liner.restricted_client import Access
from liner_mcp.names.matching import normalize_name
from liner_mcp.reloading_file import InvalidFile, ReloadingFile
from liner_mcp.server.log_redaction import redacted_caller

VARIABLE = "LINER_MCP_ACCESS_FILE"
MAX_AGENTS = 50  # all of them are in the URL of each request to Liner, and servers limit its length
MAX_SHOWN = 80  # characters of a caller's name in a warning; names have at most 71
SIMILAR = 0.75  # the ratio of difflib: one letter of four may differ

Id = Annotated[int, Field(strict=True, gt=0, le=2**53 - 1)]


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What one caller may see, and whether phones and recordings are shown.

    If `phones` is None, LINER_SHOW_PHONES decides. If `audio` is False, LINER_AUDIO is off for this caller.
    """

    access: Access
    phones: bool | None = None
    audio: bool = True


class _RuleTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    orders: Annotated[list[Id], Field(max_length=10_000)] | Literal["all"]
    agents: Annotated[list[Id], Field(max_length=MAX_AGENTS)] | Literal["all"]
    phones: Annotated[bool, Field(strict=True)] | None = None
    audio: Annotated[bool, Field(strict=True)] = True

    def rule(self) -> AccessRule:
        orders = None if self.orders == "all" else frozenset(self.orders)
        agents = None if self.agents == "all" else frozenset(self.agents)
        return AccessRule(Access(orders, agents), self.phones, self.audio)


class _RulesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: _RuleTable | None = None
    callers: dict[str, _RuleTable] = {}


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of a file by the caller's name, and the rule for all other callers, if there is one."""

    callers: dict[str, AccessRule]
    default: AccessRule | None

    def for_caller(self, name: str | None) -> AccessRule:
        """The rule of a caller. Raises: SettingsError if there is none, or if the server has no authentication."""
        if name is None:
            raise SettingsError(
                f"{VARIABLE} says what each caller may see, but this server does not identify its callers: use "
                "serve --http with LINER_MCP_TOKENS_FILE or LINER_MCP_OAUTH_ISSUER."
            )
        rule = self.callers.get(name, self.default)
        if rule is None:
            raise SettingsError(
                f"You are known here as {name}, and this name has no access yet. Ask the operator of this server to "
                f"add it to the file of {VARIABLE}."
            )
        return rule


def rules_file(path: Path) -> ReloadingFile[AccessRules]:
    """The operator's file, which is read again when it changes."""
    return ReloadingFile(VARIABLE, path, parse_rules, risk="could give themselves access")


def unused_sections(rules: AccessRules, names: Collection[str]) -> list[str]:
    """A sentence for each section that belongs to none of `names`, which are those of all callers."""
    sentences: list[str] = []
    for section in rules.callers:
        if section not in names:
            near = _nearest(section, names)
            hint = f" Did you mean {_shown(near)}?" if near else ""
            sentences.append(f"{VARIABLE}: no token belongs to [callers.{_shown(section)}].{hint}")
    return sentences


def missing_section(rules: AccessRules, name: str) -> str:
    """A sentence about a caller that no section names."""
    near = _nearest(name, rules.callers)
    hint = f" A similar one is [callers.{_shown(near)}]." if near else ""
    then = "this caller sees nothing" if rules.default is None else "[default] applies"
    return f"{VARIABLE} has no section for the caller {_shown(name)}, so {then}.{hint}"


def _nearest(name: str, others: Iterable[str]) -> str | None:
    """The most similar of other names. Cases, spaces, and letters of two scripts that look alike do not count."""
    written = {normalize_name(other[:MAX_SHOWN]): other for other in others}
    found = get_close_matches(normalize_name(name[:MAX_SHOWN]), written, 1, SIMILAR)
    return written[found[0]] if found else None


def _shown(name: str) -> str:
    """A name as it is logged, in quotation marks, with escapes if it holds letters that can be taken for others."""
    name = redacted_caller(name)
    mixed = not name.isascii() and any(character.isascii() and character.isalpha() for character in name)
    return json.dumps(name[:MAX_SHOWN], ensure_ascii=mixed or not name.isprintable())


def parse_rules(content: bytes) -> AccessRules:
    """The rules in a file's content. Raises: InvalidFile, naming the line or the key."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidFile("it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(f"it is not TOML{_error_position(str(error))}") from None
    except RecursionError:
        raise InvalidFile("it is nested too deeply") from None
    try:
        file = _RulesFile.model_validate(document)
    except ValidationError as error:
        raise InvalidFile(_describe_error(error)) from None
    return AccessRules(
        {name: table.rule() for name, table in file.callers.items()},
        None if file.default is None else file.default.rule(),
    )


def _error_position(message: str) -> str:
    """` (at line 3, column 7)` from a parser's message. The rest of the message may quote the file."""
    start = message.rfind("(at ")
    return f" {message[start:]}" if start >= 0 else ""


def _describe_error(error: ValidationError) -> str:
    row = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # The location ends with what the sentence does not need: pydantic's names of types, and positions in a list.
    known = ("default", "callers", "orders", "agents", "phones", "audio")
    path = [str(part) for part in row["loc"]]
    place = path[: 3 if path[0] == "callers" else 2]
    key = place[-1]
    if path[0] == "callers":
        place[1:2] = [redacted_caller(name) for name in place[1:2]]
    where = ".".join(place)[:120]
    if row["type"] == "missing":
        return f'{where} is missing: list the ids that may be seen, or write "all"'
    if row["type"] == "extra_forbidden":
        return f"{where} is unknown; a caller has orders, agents, phones and audio"
    if key in ("orders", "agents"):
        most = f", at most {MAX_AGENTS}" if key == "agents" else ""
        return f'{where} must be a list of ids{most}, or "all"'
    return f"{where} must be true or false" if key in known[4:] else f"{where} must be a table"
