"""The environment as people and desktop hosts write it, and the one sentence they get when it cannot be used."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from liner_mcp.errors import SettingsError
from liner_mcp.settings import Settings, read_settings
from liner_mcp.urls import is_loopback, parse_liner_origin
from tests.support.sentences import assert_says, recorded

TOKEN = "s3cret-t0ken-41d9"
VARIABLES = {f"LINER_{name.upper()}" for name in Settings.model_fields}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LINER_API_HOST", "liner.example")
    monkeypatch.setenv("LINER_API_TOKEN", TOKEN)
    return monkeypatch


def refusal(**fields: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(**fields)
    assert caught.value.__cause__ is None
    return str(caught.value)


def token_refusal(token_file: Path | str) -> str:
    settings = read_settings(api_host="liner.example", api_token_file=token_file)
    with pytest.raises(SettingsError) as caught:
        settings.host_and_token()
    return str(caught.value)


def is_a_readable_line(text: str) -> bool:
    return text.isprintable() and text.endswith(".") and len(text) < 400


# What is set -----------------------------------------------------------------------------------------------------


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    assert read_settings().model_dump() == {
        "api_host": None,
        "api_token": None,
        "api_token_file": None,
        "timezone": None,
        "max_answer_bytes": None,
        "deadline_seconds": 45.0,
        "concurrency": 4,
        "requests_per_second": 20.0,
        "pace_url": None,
        "replicas": 1,
        "show_phones": False,
        "audio": "blob",
        "max_audio_bytes": 700_000,
        "app": "on",
        "archive": None,
        "archive_retention": "180d",
        "chatgpt": False,
        "mcp_demo": False,
        "mcp_log": None,
        "mcp_access_file": None,
        "mcp_allowed_hosts": None,
        "mcp_allowed_origins": None,
        "mcp_path_prefix": None,
        "mcp_trusted_proxies": None,
        "mcp_requests_per_minute": 600,
        "mcp_tokens_file": None,
        "mcp_oauth_issuer": None,
        "mcp_oauth_audience": None,
        "mcp_oauth_scope": "calls:read",
    }


@pytest.mark.parametrize("blank", ["", " ", "\t \n", "${user_config.api_host}", " ${user_config.demo} "], ids=repr)
def test_a_blank_value_counts_as_unset(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, blank)
    assert read_settings() == Settings()


def test_every_variable_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "LINER_API_HOST": "liner.example",
        "LINER_API_TOKEN": TOKEN,
        "LINER_TIMEZONE": "Europe/Moscow",
        "LINER_MAX_ANSWER_BYTES": "60000",
        "LINER_DEADLINE_SECONDS": "0.5",
        "LINER_CONCURRENCY": "64",
        "LINER_REQUESTS_PER_SECOND": "0",
        "LINER_PACE_URL": "redis://:secret@127.0.0.1:6379/0",
        "LINER_REPLICAS": "3",
        "LINER_SHOW_PHONES": "true",
        "LINER_AUDIO": "url",
        "LINER_MAX_AUDIO_BYTES": "8000000",
        "LINER_APP": "off",
        "LINER_CHATGPT": "true",
        "LINER_ARCHIVE": "~/calls.db",
        "LINER_ARCHIVE_RETENTION": "365d",
        "LINER_MCP_DEMO": "no",
        "LINER_MCP_LOG": "debug",
        "LINER_MCP_ACCESS_FILE": "access.toml",
        "LINER_MCP_ALLOWED_HOSTS": "calls.example.com,10.0.0.5:8080",
        "LINER_MCP_ALLOWED_ORIGINS": "https://app.example.com",
        "LINER_MCP_PATH_PREFIX": "/liner",
        "LINER_MCP_TRUSTED_PROXIES": "10.0.0.0/8",
        "LINER_MCP_REQUESTS_PER_MINUTE": "0",
        "LINER_MCP_OAUTH_ISSUER": "https://auth.example.com/",
        "LINER_MCP_OAUTH_AUDIENCE": "https://calls.example.com/mcp",
        "LINER_MCP_OAUTH_SCOPE": "calls:read  audio:read",
    }
    # Each of the other two excludes one of these.
    assert {"LINER_API_TOKEN_FILE", "LINER_MCP_TOKENS_FILE", *values} == VARIABLES
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert read_settings().model_dump(exclude={"api_token", "api_token_file", "mcp_tokens_file", "pace_url"}) == {
        "api_host": "https://liner.example",
        "timezone": "Europe/Moscow",
        "max_answer_bytes": 60_000,
        "deadline_seconds": 0.5,
        "concurrency": 64,
        "requests_per_second": 0.0,
        "replicas": 3,
        "show_phones": True,
        "audio": "url",
        "max_audio_bytes": 8_000_000,
        "app": "off",
        "chatgpt": True,
        "archive": Path.home() / "calls.db",
        "archive_retention": "365d",
        "mcp_demo": False,
        "mcp_log": "debug",
        "mcp_access_file": Path("access.toml"),
        "mcp_allowed_hosts": ("calls.example.com", "10.0.0.5:8080"),
        "mcp_allowed_origins": ("https://app.example.com",),
        "mcp_path_prefix": "/liner",
        "mcp_trusted_proxies": ("10.0.0.0/8",),
        "mcp_requests_per_minute": 0,
        "mcp_oauth_issuer": "https://auth.example.com/",
        "mcp_oauth_audience": "https://calls.example.com/mcp",
        "mcp_oauth_scope": "calls:read audio:read",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("Yes", True), ("on", True), ("false", False), ("0", False), ("off", False)],
)
def test_switches_are_read_as_people_write_them(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_SHOW_PHONES", text)
    assert read_settings().show_phones is value


def test_the_command_line_goes_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LINER_MCP_DEMO", "false")
    assert read_settings(mcp_demo=True).mcp_demo is True
    environment.setenv("LINER_MCP_DEMO", "hush")
    assert Settings.of_demo_option().demo


def test_other_variables_with_the_prefix_are_no_one_business(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LINER_SOMETHING_ELSE", "x")
    assert read_settings().api_host == "https://liner.example"


def test_a_file_named_env_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LINER_API_HOST=liner.example\n")
    monkeypatch.chdir(tmp_path)
    assert read_settings().api_host is None


@pytest.mark.usefixtures("environment")
def test_settings_cannot_be_changed() -> None:
    settings = read_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.api_host = "https://evil.example"  # pyright: ignore[reportAttributeAccessIssue] - frozen, as tested


@pytest.mark.usefixtures("environment")
def test_no_picture_of_the_settings_shows_the_token() -> None:
    settings = read_settings()
    pictures = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.host_and_token())]
    assert not [picture for picture in pictures if TOKEN in picture]
    assert settings.host_and_token()[1].get_secret_value() == TOKEN


# The host --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("liner.example", "https://liner.example"),
        ("https://liner.example", "https://liner.example"),
        ("https://liner.example/", "https://liner.example"),
        (" https://liner.example \n", "https://liner.example"),
        ("HTTPS://Liner.Example", "https://liner.example"),
        ("liner.example:8443", "https://liner.example:8443"),
        ("https://liner.example:8443/", "https://liner.example:8443"),
        ("https://liner.example.", "https://liner.example."),
        ("https://my_liner-1.example", "https://my_liner-1.example"),
        ("звонки.рф", "https://звонки.рф"),
        ("http://localhost", "http://localhost"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ("10.0.0.5", "https://10.0.0.5"),
    ],
)
def test_a_host_may_be_written_bare_or_as_an_address(written: str, origin: str) -> None:
    assert parse_liner_origin(written) == origin
    assert read_settings(api_host=written).api_host == origin
    assert httpx.URL(origin).host


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("http://liner.example", "must_begin_with_https"),
        ("http://10.0.0.5", "must_begin_with_https"),
        ("http://localhost.evil.example", "must_begin_with_https"),
        ("http://127.0.0.1.evil.example", "must_begin_with_https"),
        ("http://[2001:db8::1]", "must_begin_with_https"),
        ("https://liner.example/api", "without_a_path"),
        ("https://liner.example/?key=1", "without_a_path"),
        ("https://liner.example#top", "without_a_path"),
        ("liner.example/v2", "without_a_path"),
        ("https://someone@liner.example", "user_name"),
        ("https://someone:pass@liner.example", "user_name"),
        ("https://:pass@liner.example", "user_name"),
        ("ftp://liner.example", "not_an_address"),
        ("file:///etc/passwd", "not_an_address"),
        ("https://?", "not_an_address"),
        ("https:///v2", "not_an_address"),
        ("https://liner.example:99999", "not_an_address"),
        ("https://liner.example:port", "not_an_address"),
        ("https://[::1", "not_an_address"),
        ("https://[not-an-ip]", "not_an_address"),
        ("https://my liner.example", "not_an_address"),
        ("https://liner\n.example", "not_an_address"),
        ("https://liner.exam\tple", "not_an_address"),
        ("https://liner..example", "not_an_address"),
        ("https://.", "not_an_address"),
        ("https://" + "a" * 64 + ".example", "not_an_address"),
        ("https://" + "я" * 63 + ".example", "not_an_address"),
        ("https://*.example", "not_an_address"),
        ("https://liner%2eexample", "not_an_address"),
        ("https://liner.example\\@evil.example", "user_name"),
        ("https://liner<example", "not_an_address"),
        ("https://☃.example", "not_an_address"),
        ("https://liner\udcff.example", "not_an_address"),
        ("YOUR_LINER_API_HOST,", "a_placeholder_that_was_not_replaced"),
    ],
)
def test_an_unusable_host_is_refused_with_the_reason(written: str, reason: str) -> None:
    said = refusal(api_host=written)
    assert_says(said, "liner_api_host_cannot_be_used_it", at_start=True)
    assert_says(said, reason)
    assert is_a_readable_line(said)
    assert written not in said


@given(st.text(st.characters(exclude_categories=[]), min_size=1).map(lambda text: f"https://{text}"))
def test_no_host_gives_more_than_an_origin(written: str) -> None:
    try:
        origin = parse_liner_origin(written)
    except ValueError:
        return
    assert origin.startswith("https://")
    assert not set(origin.removeprefix("https://")) & set("/?#@\\ \n\t")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("127.1", False), ("", False)],  # noqa: S104 - compared, not bound
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


# The token -------------------------------------------------------------------------------------------------------


def test_spaces_around_a_token_are_dropped(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LINER_API_TOKEN", f" {TOKEN}\r\n")
    assert read_settings().host_and_token()[1].get_secret_value() == TOKEN


@pytest.mark.parametrize("token", [f"{TOKEN} x", f"{TOKEN}\nX-Evil: 1", "s3cret-tökén", "s3cret\x00", "секрет-токен"])
def test_a_token_that_no_header_can_carry_is_refused_unshown(token: str) -> None:
    said = refusal(api_token=token)
    assert_says(said, "liner_api_token_cannot_be_used", at_start=True)
    assert is_a_readable_line(said)
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "content",
    [TOKEN.encode(), f"{TOKEN}\n".encode(), f"\r\n {TOKEN} \r\n".encode(), b"\xef\xbb\xbf" + f"{TOKEN}\r\n".encode()],
    ids=["bare", "line_end", "spaces", "byte_order_mark"],
)
def test_a_token_file_gives_its_token(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_bytes(content)
    monkeypatch.setenv("LINER_API_HOST", "liner.example")
    monkeypatch.setenv("LINER_API_TOKEN_FILE", str(tmp_path / "token"))
    settings = read_settings()
    host, token = settings.host_and_token()
    assert (host, token.get_secret_value()) == ("https://liner.example", TOKEN)
    assert settings.token_source == "LINER_API_TOKEN_FILE"
    assert TOKEN not in repr(settings)


def test_a_token_file_in_the_home_directory_may_be_written_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings = read_settings(api_host="liner.example", api_token_file="~/token")
    assert settings.host_and_token()[1].get_secret_value() == TOKEN


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_token_file_written_on_windows_is_read(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(f"{TOKEN}\r\n".encode(encoding))
    settings = read_settings(api_host="liner.example", api_token_file=str(tmp_path / "token"))
    assert settings.host_and_token()[1].get_secret_value() == TOKEN


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is_empty"),
        (b" \r\n\n", "is_empty"),
        (b"\xef\xbb\xbf", "is_empty"),
        (b"\xff\xfes\x003", "not_utf_8_text"),
        (b"s3cret\xff", "not_utf_8_text"),
        (b"s3cret one\ns3cret two\n", "the_token_holds_characters"),
        (b"LINER_API_TOKEN = s3cret", "a_word_stands_before_the_token"),
    ],
)
def test_a_token_file_without_a_token_is_told_by_its_variable(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    said = token_refusal(tmp_path / "token")
    assert said.startswith("LINER_API_TOKEN_FILE")
    assert_says(said, reason)
    assert is_a_readable_line(said)
    assert "s3cret" not in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize("name", ["missing", "missing/deeper", ".", "a" * 5_000, "nul\x00l"])
def test_a_token_file_that_cannot_be_read_is_told_by_its_variable(name: str, tmp_path: Path) -> None:
    said = token_refusal(f"{tmp_path}/{name}")
    assert_says(said, "liner_api_token_file_cannot_be", at_start=True)
    assert is_a_readable_line(said)
    assert (str(tmp_path) in said) is (len(name) < 100 and name.isprintable())


def test_a_token_in_the_place_of_its_file_is_not_shown() -> None:
    said = token_refusal(TOKEN)
    assert_says(said, "liner_api_token_file_cannot_be", at_start=True)
    assert TOKEN not in said


@pytest.mark.skipif(sys.platform == "win32", reason="there a tilde with a name is guessed from one's own home")
def test_a_token_file_of_a_user_that_no_one_is_is_told_by_its_variable() -> None:
    assert_says(token_refusal("~no-such-user-here/token"), "liner_api_token_file_cannot_be", at_start=True)


def test_a_token_and_a_token_file_together_are_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("LINER_API_TOKEN_FILE", str(tmp_path / "token"))
    said = refusal()
    assert said == recorded("liner_api_token_and_liner_api")


def test_an_empty_token_beside_a_token_file_is_no_contradiction(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    environment.setenv("LINER_API_TOKEN", " ")
    environment.setenv("LINER_API_TOKEN_FILE", str(tmp_path / "token"))
    assert read_settings().host_and_token()[1].get_secret_value() == TOKEN


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, {"LINER_API_HOST", "LINER_API_TOKEN"}),
        ({"api_host": "liner.example"}, {"LINER_API_TOKEN"}),
        ({"api_host": "liner.example", "api_token": "  "}, {"LINER_API_TOKEN"}),
        ({"api_token": TOKEN}, {"LINER_API_HOST"}),
        ({"api_host": " ", "api_token": TOKEN}, {"LINER_API_HOST"}),
    ],
)
def test_what_is_missing_is_told_when_it_is_needed_and_not_before(fields: dict[str, str], named: set[str]) -> None:
    settings = read_settings(**fields)
    with pytest.raises(SettingsError) as caught:
        settings.host_and_token()
    said = str(caught.value)
    assert {name for name in ("LINER_API_HOST", "LINER_API_TOKEN") if name in said} == named
    assert "--demo" in said
    assert is_a_readable_line(said)
    assert TOKEN not in said


# The demo --------------------------------------------------------------------------------------------------------

HOST_SET, TOKEN_SET = {"LINER_API_HOST": "liner.example"}, {"LINER_API_TOKEN": TOKEN}
FILE_SET, DEMO_SET = {"LINER_API_TOKEN_FILE": "token.txt"}, {"LINER_MCP_DEMO": "true"}
DEMO_ALONE = "DEMO: all data is invented; no Liner account is used."


@pytest.mark.parametrize(
    ("option", "variables", "demo", "notice"),
    [
        (False, {}, False, ""),
        (False, HOST_SET | TOKEN_SET, False, ""),
        (False, DEMO_SET, True, DEMO_ALONE),
        (False, DEMO_SET | {"LINER_API_HOST": " ", "LINER_API_TOKEN": ""}, True, DEMO_ALONE),
        (
            False,
            DEMO_SET | HOST_SET | TOKEN_SET,
            False,
            recorded("liner_mcp_demo_is_set_but_ignored"),
        ),
        (
            False,
            DEMO_SET | HOST_SET | FILE_SET,
            False,
            recorded("liner_mcp_demo_is_set_but_ignored_because"),
        ),
        (False, {"LINER_MCP_DEMO": "false"} | HOST_SET | TOKEN_SET, False, ""),
        (True, {}, True, DEMO_ALONE),
        (True, DEMO_SET, True, DEMO_ALONE),
        (True, {"LINER_MCP_DEMO": "false"}, True, DEMO_ALONE),
        (
            True,
            HOST_SET | TOKEN_SET,
            True,
            recorded("demo_is_given_so_liner_api_host", demo_alone=DEMO_ALONE),
        ),
        (True, DEMO_SET | HOST_SET, True, recorded("demo_is_given_so_liner_api_host_is", demo_alone=DEMO_ALONE)),
        (
            True,
            {"LINER_API_HOST": "http://not usable"},
            True,
            recorded("demo_is_given_so_liner_api_host_is", demo_alone=DEMO_ALONE),
        ),
        (
            True,
            {"liner_api_token_file": "t"},
            True,
            recorded("demo_is_given_so_liner_api_token", demo_alone=DEMO_ALONE),
        ),
    ],
)
def test_a_real_account_wins_over_the_variable_and_the_option_wins_over_both(
    option: bool, variables: dict[str, str], demo: bool, notice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings.of_demo_option() if option else read_settings()
    assert (settings.demo, settings.demo_notice) == (demo, notice)
    assert pickle.loads(pickle.dumps(settings)).demo_notice == notice  # noqa: S301 - workers get it so
    if demo:
        host, token = settings.host_and_token()
        assert (host, token.get_secret_value()) == ("http://127.0.0.1", "demo")
        assert settings.token_source == "the demo"


@pytest.mark.parametrize(
    ("variables", "wanted", "unset"),
    [
        (HOST_SET, "set_liner_api_token_or_liner", "unset_liner_api_host"),
        (TOKEN_SET, "set_liner_api_host", "unset_liner_api_token_or"),
        (FILE_SET, "set_liner_api_host", "unset_liner_api_token_file_or"),
    ],
)
def test_half_an_account_beside_the_variable_is_neither_the_demo_nor_a_guess(
    variables: dict[str, str], wanted: str, unset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (DEMO_SET | variables).items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert not settings.demo
    with pytest.raises(SettingsError) as caught:
        settings.host_and_token()
    said = str(caught.value)
    assert settings.demo_notice == said
    assert "LINER_MCP_DEMO" in said
    assert_says(said, wanted)
    assert_says(said, unset)
    assert "--demo" in said
    assert is_a_readable_line(said)
    assert TOKEN not in said


def test_the_source_of_the_token_is_named() -> None:
    assert read_settings(api_token=TOKEN).token_source == "LINER_API_TOKEN"


def test_a_secret_given_as_one_stays_one() -> None:
    settings = Settings(api_host="liner.example", api_token=SecretStr(TOKEN))
    assert settings.host_and_token()[1] == SecretStr(TOKEN)


# Callers over HTTP -----------------------------------------------------------------------------------------------

OAUTH = {"mcp_oauth_issuer": "https://auth.example.com", "mcp_oauth_audience": "https://calls.example.com/mcp"}


@pytest.mark.parametrize(
    "address",
    [
        "https://auth.example.com",
        "https://auth.example.com/",
        "https://auth.example.com:8443/realms/Sales",
        "HTTPS://Auth.Example.com/",
        "http://127.0.0.1:8000",
    ],
)
def test_an_issuer_and_an_audience_are_kept_letter_by_letter(address: str) -> None:
    settings = read_settings(mcp_oauth_issuer=f" {address} ", mcp_oauth_audience=f"{address} ")
    assert (settings.mcp_oauth_issuer, settings.mcp_oauth_audience) == (address, address)


@pytest.mark.parametrize("audience", ["api://calls", "urn:calls", "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_an_audience_may_be_a_name_that_is_no_address(audience: str) -> None:
    assert read_settings(**{**OAUTH, "mcp_oauth_audience": audience}).mcp_oauth_audience == audience


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("http://auth.hush.example", "must_begin_with_https"),
        ("https://auth.hush.example/?a=b", "query_or_a_fragment"),
        ("https://auth.hush.example/#a", "query_or_a_fragment"),
        ("https://me:hush@auth.example", "user_name"),
        ("https://", "not_an_address"),
        ("https://hush hush", "not_an_address"),
        ("https://auth.hush.example:port", "not_an_address"),
        ("https://[::1", "not_an_address"),
        ('https://auth.example/"hush', "not_an_address"),
        ("https://auth.example/hush\udcff", "not_an_address"),
        ("https://auth.example/hush\x00", "not_an_address"),
    ],
)
@pytest.mark.parametrize("field", list(OAUTH))
def test_an_unusable_issuer_or_audience_is_refused_unshown(written: str, reason: str, field: str) -> None:
    said = refusal(**{**OAUTH, field: written})
    assert_says(said, "liner_cannot_be_used_it", value=field.upper(), at_start=True)
    assert_says(said, reason)
    assert is_a_readable_line(said)
    assert "hush" not in said


@pytest.mark.parametrize("scope", ['calls:"read', "calls:\\read", "чтение", "a\x00", "s" * 101])
def test_an_unusable_scope_is_refused(scope: str) -> None:
    assert_says(refusal(mcp_oauth_scope=scope), "liner_mcp_oauth_scope_cannot_be", at_start=True)


@pytest.mark.parametrize("field", list(OAUTH))
def test_an_issuer_and_an_audience_belong_together(field: str) -> None:
    said = refusal(**{field: OAUTH[field]})
    assert said == recorded("liner_mcp_oauth_issuer_and_liner")


def test_callers_are_known_by_tokens_or_by_an_issuer_and_not_by_both() -> None:
    said = refusal(**OAUTH, mcp_tokens_file="tokens")
    assert_says(said, "liner_mcp_tokens_file_and_liner", at_start=True)
    assert is_a_readable_line(said)


# The rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINER_TIMEZONE", "Europe/Atlantis"),
        ("LINER_TIMEZONE", "hush hush"),
        ("LINER_TIMEZONE", "../../etc/passwd"),
        ("LINER_TIMEZONE", "/etc/localtime"),
        ("LINER_TIMEZONE", "Asia"),
        ("LINER_TIMEZONE", "hush" * 2_000),
        ("LINER_TIMEZONE", "UTC+3"),
        ("LINER_MAX_ANSWER_BYTES", "1999"),
        ("LINER_MAX_ANSWER_BYTES", "60001"),
        ("LINER_MAX_ANSWER_BYTES", "24000.5"),
        ("LINER_MAX_ANSWER_BYTES", "hush"),
        ("LINER_DEADLINE_SECONDS", "-7"),
        ("LINER_DEADLINE_SECONDS", "3601"),
        ("LINER_DEADLINE_SECONDS", "nan"),
        ("LINER_DEADLINE_SECONDS", "inf"),
        ("LINER_DEADLINE_SECONDS", "45s"),
        ("LINER_CONCURRENCY", "-7"),
        ("LINER_CONCURRENCY", "65"),
        ("LINER_CONCURRENCY", "four"),
        ("LINER_REQUESTS_PER_SECOND", "-7"),
        ("LINER_REQUESTS_PER_SECOND", "1001"),
        ("LINER_REQUESTS_PER_SECOND", "nan"),
        ("LINER_SHOW_PHONES", "maybe"),
        ("LINER_SHOW_PHONES", "2"),
        ("LINER_AUDIO", "hush"),
        ("LINER_AUDIO", "BLOB"),
        ("LINER_MAX_AUDIO_BYTES", "999"),
        ("LINER_MAX_AUDIO_BYTES", "8000001"),
        ("LINER_APP", "hush"),
        ("LINER_APP", "ON"),
        ("LINER_ARCHIVE", "hush.db"),
        ("LINER_ARCHIVE", "postgresql://anna:hu/sh@db.example/calls"),
        ("LINER_ARCHIVE", "postgresql://anna:hu@sh@db.example/calls"),
        ("LINER_ARCHIVE", "postgres:anna"),
        ("LINER_ARCHIVE", "~no-such-user/calls.db"),
        ("LINER_ARCHIVE_RETENTION", "90"),
        ("LINER_ARCHIVE_RETENTION", "00d"),
        ("LINER_ARCHIVE_RETENTION", "6 months"),
        ("LINER_MCP_DEMO", "hush"),
    ],
    ids=lambda value: value[:24],
)
def test_an_unusable_value_is_one_sentence_with_its_variable_and_without_the_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = refusal()
    assert_says(said, "cannot_be_used", name=name, at_start=True)
    assert is_a_readable_line(said)
    assert said.count(". ") == 0
    assert value not in said.removeprefix(name)


def test_zero_seconds_and_zero_at_once_are_refused() -> None:
    assert_says(refusal(deadline_seconds=0), "greater_than_0")
    assert_says(refusal(concurrency=0), "greater_than_or_equal_to_1")


def test_each_unusable_variable_gets_its_own_sentence(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LINER_API_HOST", "http://liner.example")
    environment.setenv("LINER_CONCURRENCY", "many")
    said = refusal()
    assert said.count("cannot be used: ") == 2
    assert_says(said, "liner_api_host_cannot")
    assert_says(said, "liner_concurrency_cannot")
    assert TOKEN not in said


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mode", "warned"), [(0o700, False), (0o775, False), (0o777, True), (0o1777, True)])
def test_an_archive_in_a_folder_that_everyone_can_write_into_is_worth_a_warning(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    folder.chmod(mode)
    settings = Settings(mcp_demo=True, archive=folder / "calls.db")
    assert (recorded("all_users_can_write_into_its_folder") in settings.exposed_files()) is warned
    assert set(settings.exposed_files()) <= set(settings.startup_notices)
