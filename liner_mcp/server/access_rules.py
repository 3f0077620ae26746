"""What each caller of a shared server may see, read from the operator's file (LINER_MCP_ACCESS_FILE).

The file is TOML: a table per caller under `callers`, and `default` for callers that are not named. Rules hold ids,
because names may pass to others. A caller that is neither named nor covered by `default` sees nothing.
`liner/restricted_client.py` enforces the rules.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liner_mcp.errors import SettingsError
from liner_mcp.liner.restricted_client import Access
from liner_mcp.reloading_file import InvalidFile, ReloadingFile

VARIABLE = "LINER_MCP_ACCESS_FILE"
# Each request to Liner carries all of them, and servers limit the length of a request line.
MAX_AGENTS = 50

Id = Annotated[int, Field(strict=True, gt=0, le=2**53 - 1)]


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The rule of one caller: what may be seen, and whether phones and recordings are shown.

    With `phones` None LINER_SHOW_PHONES decides. `audio` False switches off what LINER_AUDIO allows.
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
    """The rules of the file by the caller's name, and the default rule, if there is one."""

    callers: dict[str, AccessRule]
    default: AccessRule | None

    def for_caller(self, name: str | None) -> AccessRule:
        """The rule of a caller. Raises: SettingsError for an unknown caller, and on a server without callers."""
        if name is None:
            raise SettingsError(
                f"{VARIABLE} says what each caller may see, but this server does not know its callers: use "
                "serve --http with LINER_MCP_TOKENS_FILE or LINER_MCP_OAUTH_ISSUER."
            )
        rule = self.callers.get(name, self.default)
        if rule is None:
            raise SettingsError(
                f"You are known here as {name}, and no rule says what you may see. Ask the operator of this server to "
                f"add you to the file of {VARIABLE}."
            )
        return rule


def rules_file(path: Path) -> ReloadingFile[AccessRules]:
    """The operator's file. It is read again whenever it changes."""
    return ReloadingFile(VARIABLE, path, parse_rules)


def parse_rules(content: bytes) -> AccessRules:
    """The rules in the content of a file. Raises: InvalidFile, naming the line or the key."""
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
    # After a choice of types pydantic adds the type that it tried, and positions in a list are of no use.
    known = ("default", "callers", "orders", "agents", "phones", "audio")
    path = [str(part) for part in row["loc"]]
    place = path[: 3 if path[0] == "callers" else 2]
    key = place[-1]
    where = ".".join(place)[:120]
    if row["type"] == "missing":
        return f'{where} is missing: list the ids that may be seen, or write "all"'
    if row["type"] == "extra_forbidden":
        return f"{where} is unknown; a caller has orders, agents, phones and audio"
    if key in ("orders", "agents"):
        most = f", at most {MAX_AGENTS}" if key == "agents" else ""
        return f'{where} must be a list of ids{most}, or "all"'
    return f"{where} must be true or false" if key in known[4:] else f"{where} must be a table"
