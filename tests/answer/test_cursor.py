"""Cursors: a good one comes back whole, and everything else is one clear refusal."""

from __future__ import annotations

import base64
import hashlib
import json
import string
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.answer.cursor import MAX_CURSOR_CHARACTERS, decode_cursor, encode_cursor
from liner_mcp.errors import InvalidArgument
from tests.support.sentences import assert_says, error_says
from tests.support.token_count import count_tokens

TOOL = "list_call_records"
STATE = {"call_id": 7000123, "at": 1795168800.123456, "id": 9000001}
PACKED = {**STATE, "query": "Анна"}  # letters that need escaping are packed
ALPHABET = string.ascii_letters + string.digits + "-_"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
STATES = st.dictionaries(
    TEXTS.filter(lambda key: key != "tool"),
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)),
    max_size=6,
)


def refusal(cursor: str) -> str:
    """The one sentence, with what to do next, with which an unreadable cursor is refused."""
    with pytest.raises(InvalidArgument) as caught:
        decode_cursor(TOOL, cursor)
    sentence = str(caught.value)
    assert_says(sentence, "cursor_cannot_be_read", at_start=True)
    assert "page.next_cursor" in sentence
    assert len(sentence) < 300, "whatever was sent is not shown back"
    return sentence


def crafted(packed: bytes) -> str:
    """A cursor as only somebody who read our code would make it: any content under a right checksum."""
    checksum = hashlib.blake2s(packed, digest_size=4).digest()
    return base64.urlsafe_b64encode(checksum + packed).decode().rstrip("=")


@given(STATES)
@settings(deadline=None)
def test_a_cursor_brings_back_the_state_it_was_given(state: dict[str, Any]) -> None:
    assert decode_cursor(TOOL, encode_cursor(TOOL, state)) == state


@given(STATES)
@settings(deadline=None)
def test_a_cursor_needs_no_escaping_anywhere(state: dict[str, Any]) -> None:
    cursor = encode_cursor(TOOL, state)
    assert json.dumps(cursor) == f'"{cursor}"'
    assert "{" in cursor or set(cursor) <= set(ALPHABET)


def test_a_short_cursor_is_spelled_for_tokens_and_not_for_letters() -> None:
    plain, packed = encode_cursor(TOOL, STATE), encode_cursor(TOOL, PACKED)
    assert plain[8:] == "{'tool':'list_call_records','call_id':7000123,'at':1795168800.123456,'id':9000001}"
    assert set(packed) <= set(ALPHABET)
    assert count_tokens(plain) < count_tokens(packed)


def test_white_space_around_a_copied_cursor_is_forgiven() -> None:
    assert decode_cursor(TOOL, f"  {encode_cursor(TOOL, STATE)}\n") == STATE


def test_a_cursor_of_another_tool_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument, check=error_says("belongs_to_another_tool_not_to")):
        decode_cursor("find_calls", encode_cursor(TOOL, STATE))


def every_spelling() -> list[str]:
    """A plain cursor, and packed ones of three lengths: the last letter of base64 may hold bits that mean nothing."""
    packed = {len(one) % 4: one for one in (encode_cursor(TOOL, {**PACKED, "id": n}) for n in range(10**6, 10**6 + 99))}
    assert len(packed) == 3, "all three ways in which base64 can end"
    return [encode_cursor(TOOL, STATE), *packed.values()]


@pytest.mark.parametrize("cursor", every_spelling(), ids=["plain", "packed", "padded", "padded twice"])
def test_a_cursor_with_any_one_character_changed_is_refused(cursor: str) -> None:
    for place in range(len(cursor)):
        for other in ALPHABET + "+/= \n.я\x00{}'\"":
            changed = cursor[:place] + other + cursor[place + 1 :]
            if changed.strip() != cursor:
                refusal(changed)


@pytest.mark.parametrize("state", [STATE, PACKED], ids=["plain", "packed"])
def test_a_cursor_cut_anywhere_is_refused(state: dict[str, Any]) -> None:
    cursor = encode_cursor(TOOL, state)
    for length in range(len(cursor)):
        refusal(cursor[:length])
        refusal(cursor[len(cursor) - length :])


@pytest.mark.parametrize("state", [STATE, PACKED], ids=["plain", "packed"])
def test_a_cursor_with_something_added_is_refused(state: dict[str, Any]) -> None:
    cursor = encode_cursor(TOOL, state)
    for extra in ("A", "=", "==", "AAAA", cursor, "…", ","):
        refusal(cursor + extra)
        refusal(extra + cursor)


@given(
    st.text() | st.text(ALPHABET, max_size=200) | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
@settings(deadline=None)
def test_garbage_is_refused(garbage: str) -> None:
    refusal(garbage)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "null",
        "0",
        "{}",
        "курсор",
        "１２３４",
        "\ud800",
        "A" * 10_000,
        "🙂" * 10_000,
        encode_cursor(TOOL, STATE) * 200,
    ],
    ids=lambda cursor: f"{cursor[:8]!a} x{len(cursor)}",
)
def test_what_was_never_a_cursor_is_refused(cursor: str) -> None:
    refusal(cursor)


def test_a_cursor_as_long_as_we_accept_still_comes_back() -> None:
    state = {"ids": [hashlib.blake2s(bytes([n])).hexdigest() for n in range(60)]}
    cursor = encode_cursor(TOOL, state)
    assert 1_500 < len(cursor) <= MAX_CURSOR_CHARACTERS
    assert decode_cursor(TOOL, cursor) == state


def test_a_longer_text_is_refused_even_if_it_could_be_read() -> None:
    cursor = encode_cursor(TOOL, {"ids": [hashlib.blake2s(bytes([n])).hexdigest() for n in range(120)]})
    assert MAX_CURSOR_CHARACTERS < len(cursor) < 10_000
    refusal(cursor)


def test_a_zip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = crafted(zlib.compress(b'{"tool":"' + b"a" * 2_000_000 + b'"}', level=9))
    assert len(bomb) < MAX_CURSOR_CHARACTERS, "short enough to be looked at"
    tracemalloc.start()
    refusal(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[1,2]",
        b'"text"',
        b"7",
        b"null",
        b"\xff\xfe",
        b"[" * 50_000,
        b"1" * 50_000,
        json.dumps({"tool": TOOL}).encode()[:-1],
    ],
    ids=lambda content: f"{content[:10]!r} x{len(content)}",
)
def test_a_right_checksum_over_a_wrong_content_is_refused(content: bytes) -> None:
    refusal(crafted(zlib.compress(content)))


@pytest.mark.parametrize("plain", ["{", "{}}", "[{}]", "'{'", "{'tool':" + "[" * 3_000, "[{" + "1" * 3_900, "{'tool'"])
def test_a_right_checksum_over_a_wrong_plain_content_is_refused(plain: str) -> None:
    refusal(hashlib.blake2s(plain.encode(), digest_size=4).hexdigest() + plain)


def test_a_right_checksum_over_what_is_not_packed_is_refused() -> None:
    refusal(crafted(b"not packed at all"))


def test_a_state_without_a_tool_belongs_to_no_tool() -> None:
    with pytest.raises(InvalidArgument, check=error_says("another_tool")):
        decode_cursor(TOOL, crafted(zlib.compress(b"{}")))
