"""What may be written down as it is: the menu's own words and the protocol's, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.server import resources
from liner_mcp.server.log_redaction import (
    PROMPTS,
    RESOURCES,
    TOOLS,
    client_name,
    known_method,
    known_resource,
    known_tool_or_prompt,
    protocol_version,
    redacted_caller,
)
from liner_mcp.server.view import VIEW_TOOLS
from tests.support import snapshots

SURFACE: dict[str, Any] = json.loads(snapshots.SURFACE.read_text(encoding="utf-8"))


def test_the_known_words_are_the_menu() -> None:
    assert {tool["name"] for tool in SURFACE["tools"]} == TOOLS - VIEW_TOOLS
    assert {prompt["name"] for prompt in SURFACE["prompts"]} == PROMPTS
    listed = [*SURFACE["resources"], *SURFACE["resource_templates"]]
    assert {resource["name"] for resource in listed} == RESOURCES


@pytest.mark.parametrize(
    ("uri", "known"),
    [
        (resources.GUIDE_URI, ("guide", None)),
        (resources.CALL_URI.format(call_id=7), ("call", "7")),
        (resources.RECORD_URI.format(record_id=7), ("call_record", "7")),
        (resources.SUMMARY_URI.format(record_id=7), ("summary", "7")),
        (resources.AUDIO_URI.format(record_id=7), ("audio", "7")),
        ("liner://calls/7/more", ("other", None)),
        ("liner://leads/Иван", ("other", None)),
        ("https://example.com/79261234567", ("other", None)),
    ],
)
def test_an_address_is_told_by_the_resource_it_means(uri: str, known: tuple[str, str | None]) -> None:
    assert known_resource(uri) == known


def test_what_is_not_ours_is_other() -> None:
    assert known_method("tools/call") == "tools/call"
    assert known_method("notifications/initialized") == "notifications/initialized"
    assert known_method("+79261234567") == known_method(None) == known_method([]) == "other"
    assert known_tool_or_prompt("tools/call", "find_calls") == "find_calls"
    assert known_tool_or_prompt("tools/call", "review_call") == "other"  # a prompt is no tool
    assert known_tool_or_prompt("prompts/get", "review_call") == "review_call"
    assert known_tool_or_prompt("tools/call", ["find_calls"]) == "other"
    assert known_tool_or_prompt("tools/list", "find_calls") is None


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("claude-code", "claude-code"),
        ("Visual Studio Code 1.109.0", "Visual Studio Code 1.109.0"),
        ('evil\n{"event": 1}\x1b[31m', "evil event 1 31m"),
        ("phone +7 926 1234567", "phone 7 926"),
        ("x" * 500, "x" * 40),
        ("Иван", None),
        ("", None),
        (None, None),
    ],
)
def test_a_clients_name_is_short_and_plain(sent: str | None, shown: str | None) -> None:
    assert client_name(sent) == shown


@given(st.text())
def test_no_clients_name_holds_more_than_letters_figures_and_a_few_signs(text: str) -> None:
    shown = client_name(text) or ""
    assert len(shown) <= 40
    assert shown.isascii()
    assert shown.isprintable()
    assert not set(shown) & set("\"'\\{}<>;$@+")


def test_only_a_date_is_a_version_of_the_protocol() -> None:
    assert protocol_version("2026-07-28") == "2026-07-28"
    assert protocol_version("2026-07-28 and more") is None
    assert protocol_version("latest") is None
    assert protocol_version(None) is None


@pytest.mark.parametrize(
    "name", ["anna", "anna.petrova", "client:nightly", "user-123456", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"]
)
def test_a_callers_name_that_is_no_phone_and_no_address_is_logged(name: str) -> None:
    assert redacted_caller(name) == name


@pytest.mark.parametrize(
    "name",
    ["79161234567", "8 916 123-45-67", "+7(916)1234567", "8.916.123.45.67", "1234567", "٨٩١٦١٢٣٤٥٦٧", "anna@mail.ru",
     "client:anna@mail.ru", "tel-89161234567", "auth0|507f1f77bcf86cd799439011"],
)  # fmt: skip
def test_a_callers_name_that_may_be_a_phone_or_an_address_is_logged_as_a_hash(name: str) -> None:
    assert redacted_caller(name) == f"sha256:{hashlib.sha256(name.encode()).hexdigest()[:5]}"
