"""Values of settings that cannot be meant, and variables whose names are misspelt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import SettingsError
from liner_mcp.setting_values import checked_token
from liner_mcp.settings import Settings, misspelt_variables, read_settings
from tests.support.sentences import assert_says

SECRET = "s3cret-t0ken-41d9"
PLACEHOLDER, BEFORE = "a_placeholder_that_was_not_replaced", "a_word_stands_before_the_token"
QUOTED, CHARACTERS = "it_stands_in_quotation_marks", "the_token_holds_characters"


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings().host_and_token()
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("${input:liner-token}", PLACEHOLDER),
        ("prefix-${LINER_TOKEN}", PLACEHOLDER),
        ("$LINER_TOKEN", PLACEHOLDER),
        ("%LINER_TOKEN%", PLACEHOLDER),
        ("$(cat token)", PLACEHOLDER),
        ("{{ token }}", PLACEHOLDER),
        ("<token>", PLACEHOLDER),
        ("<your token here>", PLACEHOLDER),
        ("YOUR_TOKEN", PLACEHOLDER),
        ("your-api-key-here", PLACEHOLDER),
        ("yourToken", PLACEHOLDER),
        ("changeme", PLACEHOLDER),
        ("•••", PLACEHOLDER),
        ("********", PLACEHOLDER),
        ("xxxx-xxxx", PLACEHOLDER),
        ("...", PLACEHOLDER),
        (f'"{SECRET}"', QUOTED),
        (f"'{SECRET}'", QUOTED),
        (f"`{SECRET}`", QUOTED),
        (f"“{SECRET}”", QUOTED),
        (f"«{SECRET}»", QUOTED),
        (f"Bearer {SECRET}", BEFORE),
        (f"bearer\t{SECRET}", BEFORE),
        (f"X-Api-Key: {SECRET}", BEFORE),
        (f"LINER_API_TOKEN={SECRET}", BEFORE),
        (f"export LINER_API_TOKEN={SECRET}", BEFORE),
        (f"https://api.example.com/{SECRET}", "it_is_an_address_and_not_a_token"),
        (f"{SECRET} {SECRET}", CHARACTERS),
        (f"{SECRET}\n{SECRET}", CHARACTERS),
        ("секрет", CHARACTERS),
        (f"\u200b{SECRET}", CHARACTERS),
    ],
)
@pytest.mark.parametrize("source", ["variable", "file"])
def test_a_token_that_cannot_be_meant_is_refused_with_the_reason_and_not_shown(
    written: str, reason: str, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINER_API_HOST", "liner.example")
    if source == "variable":
        monkeypatch.setenv("LINER_API_TOKEN", written)
    else:
        (tmp_path / "token").write_text(written, encoding="utf-8")
        monkeypatch.setenv("LINER_API_TOKEN_FILE", str(tmp_path / "token"))
    said = refusal()
    assert said.startswith("LINER_API_TOKEN")
    assert_says(said, reason)
    assert SECRET not in said
    assert written.strip("\"'`“”«»") not in said


@pytest.mark.parametrize(
    "token", ["demo", SECRET, "YWJjZA==", "eyJhbGciOiJI.eyJzdWIi.x-_", "9f86d081884c7d65", "a=b", "key_live_9aT", "x"]
)
def test_a_token_in_any_usual_form_is_taken(token: str) -> None:
    assert checked_token(f" {token}\n") == token


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=61, max_size=300))
def test_a_token_is_taken_unchanged_or_refused_without_being_shown(text: str) -> None:
    try:
        assert checked_token(text) == text
    except ValueError as error:
        assert text not in str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "host", ["YOUR_HOST", "https://your-liner.example", "https://${HOST}", "<host>", "your.api.example", "CHANGE_ME"]
)
def test_a_host_that_is_a_placeholder_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_API_HOST", host)
    assert_says(refusal(), PLACEHOLDER)


@pytest.mark.parametrize("host", ["liner.example", "api.liner.com", "my.liner.com", "yourliner.ru", "liner"])
def test_a_host_with_usual_words_is_taken(host: str) -> None:
    assert read_settings(api_host=host).api_host == f"https://{host}"


VALUES = {
    "api_host": "liner.example",
    "api_token": SECRET,
    "api_token_file": "token",
    "timezone": "UTC",
    "max_answer_bytes": "9000",
    "deadline_seconds": "30",
    "concurrency": "2",
    "requests_per_second": "5",
    "show_phones": "true",
    "audio": "url",
    "max_audio_bytes": "5000",
    "mcp_demo": "true",
    "mcp_log": "json",
    "mcp_allowed_hosts": "calls.example",
    "mcp_allowed_origins": "https://app.example",
    "mcp_path_prefix": "/liner",
    "mcp_trusted_proxies": "10.0.0.0/8",
    "mcp_requests_per_minute": "5",
    "mcp_tokens_file": "tokens",
    "mcp_oauth_issuer": "https://auth.example",
    "mcp_oauth_audience": "https://calls.example/mcp",
    "mcp_oauth_scope": "calls:read",
    "mcp_access_file": "access.toml",
    "pace_url": "redis://127.0.0.1:6379/0",
    "replicas": "2",
    "app": "off",
    "archive": "~/liner/calls.db",
    "archive_retention": "90d",
    "chatgpt": "true",
}
TOGETHER = {"mcp_oauth_issuer": "mcp_oauth_audience", "mcp_oauth_audience": "mcp_oauth_issuer"}


@pytest.mark.parametrize("field", list(Settings.model_fields))
def test_every_setting_is_trimmed_alike_and_refused_in_quotation_marks(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"LINER_{field.upper()}"
    if field in TOGETHER:
        monkeypatch.setenv(f"LINER_{TOGETHER[field].upper()}", VALUES[TOGETHER[field]])
    monkeypatch.setenv(variable, VALUES[field])
    plain = getattr(read_settings(), field)
    monkeypatch.setenv(variable, f" \t{VALUES[field]}\r\n")
    assert (
        getattr(read_settings(), field) == plain != Settings.model_fields[field].default or field == "mcp_oauth_scope"
    )
    monkeypatch.setenv(variable, f'"{VALUES[field]}"')
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert str(caught.value).startswith(f"{variable} cannot be used: ")
    assert_says(str(caught.value), QUOTED)


@pytest.mark.parametrize(
    "zone", ["right/UTC", "posix/Europe/Moscow", "localtime", "posixrules", "Factory", "RIGHT/UTC"]
)
def test_zones_of_the_system_are_refused(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_TIMEZONE", zone)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert_says(str(caught.value), "is_not_an_iana_time_zone_such")


@pytest.mark.parametrize("zone", ["europe/moscow", "EUROPE/MOSCOW", "Europe/moscow"])
def test_a_zone_in_other_letters_is_answered_with_its_spelling(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_TIMEZONE", zone)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert_says(str(caught.value), "it_is_written_europe_moscow")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LINER_TIMEZON", "LINER_TIMEZONE"),
        ("LINER_TZ", "LINER_TIMEZONE"),
        ("liner_timezon", "LINER_TIMEZONE"),
        ("LINER_TOKEN", "LINER_API_TOKEN"),
        ("LINER_API_KEY", "LINER_API_TOKEN"),
        ("LINER_HOST", "LINER_API_HOST"),
        ("LINER_API_URL", "LINER_API_HOST"),
        ("LINER-API-HOST", "LINER_API_HOST"),
        ("LINNER_API_HOST", "LINER_API_HOST"),
        ("LINER_API_TOKENFILE", "LINER_API_TOKEN_FILE"),
        ("LINER_DEMO", "LINER_MCP_DEMO"),
        ("LINER_LOG", "LINER_MCP_LOG"),
        ("LINER_DEADLINE", "LINER_DEADLINE_SECONDS"),
        ("LINER_TIMEOUT", "LINER_DEADLINE_SECONDS"),
        ("LINER_SHOW_PHONE", "LINER_SHOW_PHONES"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, SECRET)
    (said,) = misspelt_variables()
    assert_says(said, "is_not_a_setting_and_is_ignored", name=name.upper(), meant=meant, at_start=True, at_end=True)
    assert SECRET not in said
    assert said in refusal()
    monkeypatch.setenv(meant, "set")
    assert misspelt_variables() == []


@pytest.mark.parametrize(
    "name",
    ["LINER_CALLER_TOKEN", "LINER_WEBHOOK_URL", "LINER_MODE", "LINER_VERSION", "LINES", "LINEAR_API_KEY", "HOST"],
)
def test_variables_of_other_programs_are_not_mentioned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert misspelt_variables() == []
