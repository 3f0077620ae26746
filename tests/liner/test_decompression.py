"""The body of an answer: whole, unpacked, and never larger than it may be."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import UnreadableAnswer
from liner_mcp.liner.decompression import Body

MOST = 1_000_000


def whole(packed: bytes, coding: str, step: int = 7, most: int = MOST) -> bytes:
    body = Body(coding, most)
    for start in range(0, len(packed), step):
        body.add(packed[start : start + step])
    return body.whole()


@given(st.binary(max_size=300), st.integers(1, 400))
def test_a_body_is_the_same_in_whatever_pieces_and_packing_it_comes(text: bytes, step: int) -> None:
    assert whole(text, "", step) == text
    assert whole(text, "identity", step) == text
    assert whole(gzip.compress(text), "gzip", step) == text
    assert whole(gzip.compress(text), "X-GZIP ", step) == text
    assert whole(zlib.compress(text), "deflate", step) == text


def test_an_empty_body_is_empty_however_it_claims_to_be_packed() -> None:
    assert whole(b"", "gzip") == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_a_packing_that_nobody_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(UnreadableAnswer, match="compression is broken"):
        Body(coding, MOST)


@pytest.mark.parametrize(
    "packed",
    [b"no gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"")[:5]],
    ids=["not packed", "cut at its end", "cut in its head"],
)
def test_a_broken_or_shortened_packing_is_told(packed: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="compression is broken"):
        whole(packed, "gzip")


@pytest.mark.parametrize(("coding", "pack"), [("", bytes), ("gzip", gzip.compress)])
def test_a_body_may_be_just_as_large_as_allowed(coding: str, pack: type[bytes]) -> None:
    assert len(whole(pack(bytes(MOST)), coding, 10_000)) == MOST
    with pytest.raises(UnreadableAnswer, match="larger than 1 MB"):
        whole(pack(bytes(MOST + 1)), coding, 10_000)


def test_a_bomb_costs_no_more_memory_than_the_largest_body() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableAnswer, match="larger than 1 MB"):
            Body("gzip", MOST).add(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MOST


def test_what_follows_the_end_of_a_packed_body_is_left_out_and_held_by_nobody() -> None:
    body = Body("gzip", MOST)
    tracemalloc.start()
    try:
        body.add(gzip.compress(b"{}") + b"first")
        for _ in range(100):
            body.add(bytes(MOST // 10))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.whole() == b"{}"
    assert held < MOST
