"""The LINER_ environment variables, read once, validated and frozen. docs/settings.md lists them.

An empty value counts as unset, because desktop hosts send an empty string for a field that the user left blank, or the
name of that field, as in `${user_config.host}`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from liner_mcp.errors import SettingsError
from liner_mcp.files import is_exposed, is_writable_by_all, reason
from liner_mcp.setting_values import checked_host, checked_text, checked_token, misspelt
from liner_mcp.urls import allowed_host, allowed_origin, https_address, parse_liner_origin

PREFIX = "LINER_"
# The fields that choose a Liner account.
ACCOUNT = ("api_host", "api_token", "api_token_file")
DEMO_NOTICE = "DEMO: all data is invented; no Liner account is used."
# The address of the demo Liner in this process. Loopback, because plain http is allowed for loopback only.
DEMO_HOST = "http://127.0.0.1"
DEMO_TOKEN = "demo"  # noqa: S105 - the only token of the demo Liner; it is no secret

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # scope-token, RFC 6749 section 3.3
# Zones of the system's own: those of right/ count leap seconds, and localtime is another one on each machine.
_SYSTEM_ZONE = re.compile(r"(right|posix)/|(posixrules|localtime|Factory)\Z", re.IGNORECASE)
_BLANK_FIELD = re.compile(r"\$\{user_config\.\w+\}")
# What is behind the last @ may be shown, so no part of a password may stand there.
_POSTGRES_URL = re.compile(
    r"postgres(ql)?://([^@/?#\s]*@)?([\w.-]*|\[[\da-fA-F:.]+\]|%2[fF][\w.%-]*)(:\d+)?(,[\w.-]+(:\d+)?)*(/[^/?#@\s]*)?(\?[^#\s]*)?"
)
_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def _is_blank(value: str) -> bool:
    return not value.strip() or _BLANK_FIELD.fullmatch(value.strip()) is not None


def _split(value: object) -> object:
    return [word for part in value.split(",") if (word := part.strip())] if isinstance(value, str) else value


def _each(check: Callable[[str], str]) -> Callable[[tuple[str, ...] | None], tuple[str, ...] | None]:
    return lambda words: words and tuple(map(check, words))


def _zone(value: str) -> str:
    if _is_zone(value):
        return value
    written, zones = value.replace(" ", "_").lower(), available_timezones()
    found = next((name for name in zones if name.lower() == written and not _SYSTEM_ZONE.match(name)), "")
    hint = f"; it is written {found}" if found else ", such as Europe/Moscow"
    raise ValueError(f"it is not an IANA time zone{hint}")


def _is_zone(value: str) -> bool:
    if _SYSTEM_ZONE.match(value):
        return False
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _host(value: str) -> str:
    return parse_liner_origin(checked_host(value))


def _secret_token(value: SecretStr) -> SecretStr:
    return SecretStr(checked_token(value.get_secret_value()))


def _store_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it is not an address such as redis://host:6379/0")
    return value


def _network(proxy: str) -> str:
    try:
        return str(ipaddress.ip_network(proxy, strict=False))
    except ValueError:
        raise ValueError("it takes addresses or networks, such as 10.0.0.5 or 10.0.0.0/8") from None


def _path_prefix(value: str) -> str | None:
    if not value.strip("/"):
        return None
    prefix = f"/{value.strip().strip('/')}"
    if not _PATH_PREFIX.fullmatch(prefix):
        raise ValueError("it is not a path such as /liner")
    return prefix


def _issuer(value: str) -> str:
    return https_address(value.strip(), "https://auth.example.com")


def _archive(value: object) -> object:
    if not isinstance(value, str):
        return value
    if re.match(r"postgres(ql)?:", value, re.IGNORECASE):
        if not _POSTGRES_URL.fullmatch(value):
            raise ValueError(
                "it is not a URL such as postgresql://user@host/database; in a password, write % and two digits for "
                "each of / @ : ? # %"
            )
        return SecretStr(value)
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError("there is no such user; write the full path") from None
    if not path.is_absolute():  # programs are started in different folders
        raise ValueError("it is not a full path, such as ~/liner/calls.db")
    return path


def _days(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,4}d", value):
        raise ValueError("it is not a number of days, such as 180d")
    return value


def _audience(value: str) -> str:
    value = value.strip()
    if value.lower().startswith(("https:", "http:")):
        return https_address(value, "https://calls.example.com/mcp")
    if not value.isprintable() or " " in value:
        raise ValueError("it holds a space or a control character")
    return value


def _scopes(value: str) -> str:
    scopes = value.split()
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError("it is not a scope such as calls:read, or several with spaces between them")
    return " ".join(scopes)


CommaSeparated = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The settings. Field `api_host` is variable `LINER_API_HOST`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    api_host: Annotated[str, AfterValidator(_host)] | None = None
    api_token: Annotated[SecretStr, AfterValidator(_secret_token)] | None = None
    api_token_file: Path | None = None
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    max_answer_bytes: int | None = Field(default=None, ge=2_000, le=60_000)
    deadline_seconds: float = Field(default=45, gt=0, le=3_600)
    concurrency: int = Field(default=4, ge=1, le=64)
    requests_per_second: float = Field(default=20, ge=0, le=1_000)
    pace_url: Annotated[SecretStr, AfterValidator(_store_url)] | None = None
    replicas: int = Field(default=1, ge=1, le=100)
    show_phones: bool = False
    audio: Literal["off", "blob", "url"] = "blob"
    max_audio_bytes: int = Field(default=700_000, ge=1_000, le=8_000_000)
    app: Literal["on", "off"] = "on"
    archive: Annotated[Path | SecretStr, BeforeValidator(_archive)] | None = None
    archive_retention: Annotated[str, AfterValidator(_days)] = "180d"
    chatgpt: bool = False
    mcp_demo: bool = False
    mcp_log: Literal["off", "json", "debug"] | None = None

    # Only for `serve --http`.
    mcp_allowed_hosts: Annotated[CommaSeparated, AfterValidator(_each(allowed_host))] = None
    mcp_allowed_origins: Annotated[CommaSeparated, AfterValidator(_each(allowed_origin))] = None
    mcp_path_prefix: Annotated[str, AfterValidator(_path_prefix)] | None = None
    mcp_trusted_proxies: Annotated[CommaSeparated, AfterValidator(_each(_network))] = None
    mcp_requests_per_minute: int = Field(default=600, ge=0, le=1_000_000)
    mcp_tokens_file: Path | None = None
    mcp_oauth_issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    mcp_oauth_audience: Annotated[str, AfterValidator(_audience)] | None = None
    mcp_oauth_scope: Annotated[str, AfterValidator(_scopes)] = "calls:read"
    mcp_access_file: Path | None = None

    # The variables of a real account that are ignored because of `--demo`.
    _not_used: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if not (isinstance(value, str) and _is_blank(value))}

    @field_validator("*", mode="before")
    @classmethod
    def _trimmed(cls, value: object) -> object:
        return checked_text(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_contradictions(self) -> Settings:
        if (self.mcp_oauth_issuer is None) != (self.mcp_oauth_audience is None):
            raise ValueError("LINER_MCP_OAUTH_ISSUER and LINER_MCP_OAUTH_AUDIENCE belong together; set both or neither")
        if self.mcp_oauth_issuer is not None and self.mcp_tokens_file is not None:
            raise ValueError("LINER_MCP_TOKENS_FILE and LINER_MCP_OAUTH_ISSUER are both set; set one of the two")
        if self.api_token is not None and self.api_token_file is not None:
            raise ValueError("LINER_API_TOKEN and LINER_API_TOKEN_FILE are both set; set one of the two")
        return self

    @classmethod
    def of_demo_option(cls, **overrides: Any) -> Settings:
        """`read_settings` for `--demo`. Host and token are not read, so unusable ones do not matter.

        The archive of the environment is a copy of an account, so it is not used, unless `overrides` say otherwise.
        """
        settings = read_settings(mcp_demo=True, **{**dict.fromkeys((*ACCOUNT, "archive")), **overrides})
        found = {name.upper() for name, value in os.environ.items() if not _is_blank(value)}
        not_used = (name for field in ACCOUNT if (name := f"{PREFIX}{field.upper()}") in found)
        settings._not_used = tuple(not_used)  # noqa: SLF001 - an instance of this class
        return settings

    @property
    def demo(self) -> bool:
        """Whether answers come from the demo server.

        A real account wins over LINER_MCP_DEMO. `--demo` wins over both, because no account is read then.
        """
        return self.mcp_demo and not self._account()

    @property
    def demo_notice(self) -> str:
        """What people and models must know about the demo; empty if no demo was requested."""
        if self.demo:
            given = f" --demo is given, so {_listed(self._not_used)} not used." if self._not_used else ""
            return DEMO_NOTICE + given
        if not self.mcp_demo:
            return ""
        return self._half_account() or f"LINER_MCP_DEMO is set but ignored, because {_listed(self._account())} set."

    @property
    def startup_notices(self) -> list[str]:
        """What an operator must know when the server starts: about the demo, misspelt variables and exposed files."""
        return [*filter(None, [self.demo_notice]), *misspelt_variables(), *self.exposed_files()]

    def exposed_files(self) -> list[str]:
        """Sentences if other users of this machine can read the file of Liner's token, or replace the archive.

        They are warnings and no errors, because a server that was set up like that has to go on.
        """
        found: list[str] = []
        if not self.demo and self.api_token_file is not None and is_exposed(self.api_token_file):
            found.append("LINER_API_TOKEN_FILE is open to other users of this machine. Run chmod 600 on it.")
        if isinstance(self.archive, Path) and is_writable_by_all(self.archive.parent):
            found.append("LINER_ARCHIVE: all users of this machine can write into its folder. Run chmod 700 on that.")
        return found

    def _account(self) -> list[str]:
        """The variables of a real account that are set."""
        return [f"{PREFIX}{field.upper()}" for field in ACCOUNT if getattr(self, field) is not None]

    def _half_account(self) -> str:
        """The error for LINER_MCP_DEMO with half of an account: the operator must not get invented data by accident."""
        missing, account = self._missing(), self._account()
        if not (self.mcp_demo and missing and account):
            return ""
        (found,) = account
        return (
            f"LINER_MCP_DEMO and {found} are both set, so it is unclear which data is wanted. For your Liner, set "
            f"{missing[0]} too; for the demo, unset {found} or start the server with --demo."
        )

    def _missing(self) -> list[str]:
        """The variables of a real account that are not set, each with an explanation."""
        missing: list[str] = []
        if self.api_host is None:
            missing.append("LINER_API_HOST (the address of your Liner API, such as https://api.example.com)")
        if self.api_token is None and self.api_token_file is None:
            missing.append("LINER_API_TOKEN or LINER_API_TOKEN_FILE (the integration token made in Liner)")
        return missing

    def host_and_token(self) -> tuple[str, SecretStr]:
        """The origin of Liner's API and the token. Raises: SettingsError that names the variable to set."""
        if self.demo:
            return DEMO_HOST, SecretStr(DEMO_TOKEN)
        if half := self._half_account():
            raise SettingsError(half)
        missing = self._missing()
        if missing:
            raise SettingsError(
                f"Not set up yet: set {' and '.join(missing)} in the environment of this server and restart it, "
                + " ".join(["or start it with --demo to try it without an account.", *misspelt_variables()])
            )
        assert self.api_host is not None  # noqa: S101 - checked above; for the type checker
        return self.api_host, self.api_token or self._token_from_file()

    @property
    def archive_source(self) -> str:
        """What an archive is a copy of: the origin of Liner's API, or the demo. Raises: SettingsError."""
        return "demo" if self.demo else self.host_and_token()[0]

    @property
    def retention(self) -> timedelta:
        """How long the archive stores a call after its creation."""
        return timedelta(days=int(self.archive_retention.removesuffix("d")))

    def _token_from_file(self) -> SecretStr:
        assert self.api_token_file is not None  # noqa: S101 - checked by the caller; for the type checker
        try:
            content = self.api_token_file.expanduser().read_bytes()
            # Windows PowerShell writes UTF-16 for `>`.
            encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
            text = content.decode(encoding).strip()
        except UnicodeDecodeError:
            raise SettingsError("LINER_API_TOKEN_FILE cannot be read: it is not UTF-8 text.") from None
        except (OSError, ValueError, RuntimeError) as error:  # also for an unknown ~user
            raise SettingsError(
                f"LINER_API_TOKEN_FILE cannot be read: {reason(error, self.api_token_file)}. "
                "Check the path and its rights."
            ) from None
        if not text:
            raise SettingsError("LINER_API_TOKEN_FILE is empty. Put the integration token made in Liner into it.")
        try:
            return SecretStr(checked_token(text))
        except ValueError as error:
            raise SettingsError(f"LINER_API_TOKEN_FILE: {error}.") from None

    @property
    def token_source(self) -> str:
        """The variable that the token comes from, for `check`."""
        if self.demo:
            return "the demo"
        return "LINER_API_TOKEN" if self.api_token is not None else "LINER_API_TOKEN_FILE"


def read_settings(**overrides: Any) -> Settings:
    """Read the process environment. `overrides` are fields from the command line.

    Raises: SettingsError with one sentence per unusable variable. It does not show the value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(row) for row in error.errors(include_url=False))) from None


def misspelt_variables() -> list[str]:
    """A sentence for each variable of the environment that is probably a misspelt setting.

    It is a warning and no error, because other programs may have variables that begin with LINER_ too.
    """
    return misspelt(os.environ, {f"{PREFIX}{field.upper()}" for field in Settings.model_fields})


def _listed(names: Sequence[str]) -> str:
    """Names and the verb that fits them: `A is`, `A and B are`."""
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _sentence(row: Any) -> str:
    """A pydantic error as a sentence that names the variable, but not its value."""
    location = [str(part) for part in row["loc"]]
    message = str(row["msg"]).removeprefix("Value error, ")
    if not location:
        return f"{message}."
    name = location[0] if location[0].startswith(PREFIX) else f"{PREFIX}{location[0].upper()}"
    return f"{name} cannot be used: {message[0].lower()}{message[1:]}."
