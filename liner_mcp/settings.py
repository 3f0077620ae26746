"""The environment, read once, validated and frozen.

Every variable is named in the README; an empty value counts as unset, because desktop hosts send an empty string for a
field the user left blank.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from liner_mcp.errors import SettingsError
from liner_mcp.files import reason
from liner_mcp.urls import allowed_host, allowed_origin, https_address, parse_liner_origin

PREFIX = "LINER_"
# The fields that say which Liner is asked and with which token.
ACCOUNT = ("api_host", "api_token", "api_token_file")
DEMO_NOTICE = "DEMO: all data is invented; no Liner account is used."
# Where the in-process fake Liner is "reached". Loopback, so that the rules for plain http hold for it too.
DEMO_HOST = "http://127.0.0.1"
DEMO_TOKEN = "demo"  # noqa: S105 - the fake Liner's only token, a public word

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # scope-token, RFC 6749 section 3.3
_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")

CommaSeparated = Annotated[tuple[str, ...] | None, NoDecode]
"""Words with commas between them, as a person writes them into a variable."""


class Settings(BaseSettings):
    """What the environment says. Field `api_host` is variable `LINER_API_HOST`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    api_host: str | None = None
    api_token: SecretStr | None = None
    api_token_file: Path | None = None
    timezone: str | None = None
    max_answer_bytes: int | None = Field(default=None, ge=2_000, le=60_000)
    deadline_seconds: float = Field(default=45, gt=0, le=3_600)
    concurrency: int = Field(default=4, ge=1, le=64)
    requests_per_second: float = Field(default=20, ge=0, le=1_000)
    show_phones: bool = False
    audio: Literal["off", "blob", "url"] = "blob"
    max_audio_bytes: int = Field(default=700_000, ge=1_000, le=8_000_000)
    mcp_demo: bool = False
    mcp_log: Literal["off", "json", "debug"] | None = None

    # Only for `serve --http`.
    mcp_allowed_hosts: CommaSeparated = None
    mcp_allowed_origins: CommaSeparated = None
    mcp_path_prefix: str | None = None
    mcp_trusted_proxies: CommaSeparated = None
    mcp_requests_per_minute: int = Field(default=600, ge=0, le=1_000_000)
    mcp_tokens_file: Path | None = None
    mcp_oauth_issuer: str | None = None
    mcp_oauth_audience: str | None = None
    mcp_oauth_scope: str = "calls:read"
    mcp_access_file: Path | None = None

    # The variables of a real account that `--demo` on the command line put aside.
    _not_used: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @field_validator("api_host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        return None if value is None else parse_liner_origin(value)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("it is not an IANA time zone, such as Europe/Moscow") from None
        return value

    @field_validator("api_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(_validate_token(value.get_secret_value()))

    @field_validator("mcp_allowed_hosts", "mcp_allowed_origins", "mcp_trusted_proxies", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return [word for part in value.split(",") if (word := part.strip())] if isinstance(value, str) else value

    @field_validator("mcp_allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(allowed_host(host) for host in value)

    @field_validator("mcp_allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(allowed_origin(origin) for origin in value)

    @field_validator("mcp_trusted_proxies")
    @classmethod
    def _proxies(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        try:
            return None if value is None else tuple(str(ipaddress.ip_network(proxy, strict=False)) for proxy in value)
        except ValueError:
            raise ValueError("it takes addresses or networks, such as 10.0.0.5 or 10.0.0.0/8") from None

    @field_validator("mcp_path_prefix")
    @classmethod
    def _prefix(cls, value: str | None) -> str | None:
        if value is None or not value.strip("/"):
            return None
        prefix = f"/{value.strip().strip('/')}"
        if not _PATH_PREFIX.fullmatch(prefix):
            raise ValueError("it is not a path such as /liner")
        return prefix

    @field_validator("mcp_oauth_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        return None if value is None else https_address(value.strip(), "https://auth.example.com")

    @field_validator("mcp_oauth_audience")
    @classmethod
    def _audience(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = value.strip()
        if value.lower().startswith(("https:", "http:")):
            return https_address(value, "https://calls.example.com/mcp")
        if not value.isprintable() or " " in value:
            raise ValueError("it holds a space or a control character")
        return value

    @field_validator("mcp_oauth_scope")
    @classmethod
    def _scope(cls, value: str) -> str:
        scopes = value.split()
        if not all(_SCOPE.fullmatch(scope) for scope in scopes):
            raise ValueError("it is not a scope such as calls:read, or several with spaces between them")
        return " ".join(scopes)

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> Settings:
        if (self.mcp_oauth_issuer is None) != (self.mcp_oauth_audience is None):
            raise ValueError("LINER_MCP_OAUTH_ISSUER and LINER_MCP_OAUTH_AUDIENCE belong together; set both or neither")
        if self.mcp_oauth_issuer is not None and self.mcp_tokens_file is not None:
            raise ValueError(
                "LINER_MCP_TOKENS_FILE and LINER_MCP_OAUTH_ISSUER are both set; callers are known by one of the two"
            )
        return self

    @model_validator(mode="after")
    def _one_source_of_the_token(self) -> Settings:
        if self.api_token is not None and self.api_token_file is not None:
            raise ValueError("LINER_API_TOKEN and LINER_API_TOKEN_FILE are both set; set one of the two")
        return self

    @classmethod
    def of_demo_option(cls, **overrides: Any) -> Settings:
        """`read_settings` for `--demo`: host and token are not read, not even to see whether they are usable."""
        settings = read_settings(mcp_demo=True, **dict.fromkeys(ACCOUNT), **overrides)
        found = {name.upper() for name, value in os.environ.items() if value.strip()}
        not_used = (name for field in ACCOUNT if (name := f"{PREFIX}{field.upper()}") in found)
        settings._not_used = tuple(not_used)  # noqa: SLF001 - an object of this class
        return settings

    @property
    def demo(self) -> bool:
        """Whether answers come from the demo server. Everything that must know it asks here.

        A real account wins over LINER_MCP_DEMO. `--demo` wins over both, because no account is read then.
        """
        return self.mcp_demo and not self._account()

    @property
    def demo_notice(self) -> str:
        """What people and models must know about the demo; empty when no demo was asked for."""
        if self.demo:
            given = f" --demo is given, so {_listed(self._not_used)} not used." if self._not_used else ""
            return DEMO_NOTICE + given
        if not self.mcp_demo:
            return ""
        return self._half_account() or f"LINER_MCP_DEMO is set but ignored, because {_listed(self._account())} set."

    def _account(self) -> list[str]:
        """The variables of a real account that are set."""
        return [f"{PREFIX}{field.upper()}" for field in ACCOUNT if getattr(self, field) is not None]

    def _half_account(self) -> str:
        """For LINER_MCP_DEMO with half of an account: what to decide. An operator must not get invented data then."""
        missing, account = self._missing(), self._account()
        if not (self.mcp_demo and missing and account):
            return ""
        (found,) = account
        return (
            f"LINER_MCP_DEMO and {found} are both set, so it is unclear which data is wanted. For your Liner, set "
            f"{missing[0]} too; for the demo, unset {found} or start the server with --demo."
        )

    def _missing(self) -> list[str]:
        """The variables of a real account that are not set, each with what it is."""
        missing: list[str] = []
        if self.api_host is None:
            missing.append("LINER_API_HOST (the address of your Liner API, such as https://api.example.com)")
        if self.api_token is None and self.api_token_file is None:
            missing.append("LINER_API_TOKEN or LINER_API_TOKEN_FILE (the integration token made in Liner)")
        return missing

    def host_and_token(self) -> tuple[str, SecretStr]:
        """The origin of Liner's API and the token, or a sentence that says which variable to set.

        Raises: SettingsError.
        """
        if self.demo:
            return DEMO_HOST, SecretStr(DEMO_TOKEN)
        if half := self._half_account():
            raise SettingsError(half)
        missing = self._missing()
        if missing:
            raise SettingsError(
                f"Not set up yet: set {' and '.join(missing)} in the environment of this server and restart it, "
                "or start it with --demo to try it without an account."
            )
        assert self.api_host is not None  # noqa: S101 - told above; this is for the type checker
        return self.api_host, self.api_token or self._token_from_file()

    def _token_from_file(self) -> SecretStr:
        assert self.api_token_file is not None  # noqa: S101 - the only caller has checked
        try:
            text = self.api_token_file.expanduser().read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError:
            raise SettingsError("LINER_API_TOKEN_FILE cannot be read: it is not UTF-8 text.") from None
        except (OSError, ValueError, RuntimeError) as error:  # also a ~user that nobody is
            raise SettingsError(
                f"LINER_API_TOKEN_FILE cannot be read: {reason(error)}. Check the path and its rights."
            ) from None
        if not text:
            raise SettingsError("LINER_API_TOKEN_FILE is empty. Put the integration token made in Liner into it.")
        try:
            return SecretStr(_validate_token(text))
        except ValueError as error:
            raise SettingsError(f"LINER_API_TOKEN_FILE: {error}.") from None

    @property
    def token_source(self) -> str:
        """Which variable the token comes from, for `check`; never the token."""
        if self.demo:
            return "the demo"
        return "LINER_API_TOKEN" if self.api_token is not None else "LINER_API_TOKEN_FILE"


def read_settings(**overrides: Any) -> Settings:
    """Read the process environment; `overrides` are fields given on the command line.

    Raises: SettingsError with one sentence per unusable variable, naming it and never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(row) for row in error.errors(include_url=False))) from None


def _listed(names: Sequence[str]) -> str:
    """Names as the subject of a sentence, with its verb."""
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _validate_token(text: str) -> str:
    token = text.strip()
    # A header value: anything else would be refused by the HTTP library with the token in its error.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            "the token holds characters that no Liner token has (a space, a line break, a letter with an accent)"
        )
    return token


def _sentence(row: Any) -> str:
    """One pydantic error row as a sentence that names the variable but not its value."""
    location = [str(part) for part in row["loc"]]
    message = str(row["msg"]).removeprefix("Value error, ")
    if not location:
        return f"{message}."
    name = location[0] if location[0].startswith(PREFIX) else f"{PREFIX}{location[0].upper()}"
    return f"{name} cannot be used: {message[0].lower()}{message[1:]}."
