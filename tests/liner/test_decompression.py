"""The body of an answer: whole, unpacked, and never larger than it may be."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import InvalidResponse
from liner_mcp.liner.decompression import BodyDecoder
from tests.support.sentences import error_says

MAX_BYTES = 1_000_000


def decode(packed: bytes, coding: str, step: int = 7, most: int = MAX_BYTES) -> bytes:
    body = BodyDecoder(coding, most)
    for start in range(0, len(packed), step):
        body.feed(packed[start : start + step])
    return body.finish()


@given(st.binary(max_size=300), st.integers(1, 400))
def test_a_body_is_the_same_in_whatever_pieces_and_packing_it_comes(text: bytes, step: int) -> None:
    assert decode(text, "", step) == text
    assert decode(text, "identity", step) == text
    assert decode(gzip.compress(text), "gzip", step) == text
    assert decode(gzip.compress(text), "X-GZIP ", step) == text
    assert decode(zlib.compress(text), "deflate", step) == text


def test_an_empty_body_is_empty_however_it_claims_to_be_packed() -> None:
    assert decode(b"", "gzip") == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_a_packing_that_no_one_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(InvalidResponse, check=error_says("compression_is_broken")):
        BodyDecoder(coding, MAX_BYTES)


@pytest.mark.parametrize(
    "packed",
    [b"no gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"")[:5]],
    ids=["not packed", "cut at its end", "cut in its head"],
)
def test_a_broken_or_shortened_packing_is_told(packed: bytes) -> None:
    with pytest.raises(InvalidResponse, check=error_says("compression_is_broken")):
        decode(packed, "gzip")


@pytest.mark.parametrize(("coding", "pack"), [("", bytes), ("gzip", gzip.compress)])
def test_a_body_may_be_just_as_large_as_allowed(coding: str, pack: type[bytes]) -> None:
    assert len(decode(pack(bytes(MAX_BYTES)), coding, 10_000)) == MAX_BYTES
    with pytest.raises(InvalidResponse, check=error_says("larger_than_1_mb")):
        decode(pack(bytes(MAX_BYTES + 1)), coding, 10_000)


def test_a_bomb_costs_no_more_memory_than_the_largest_body() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse, check=error_says("larger_than_1_mb")):
            BodyDecoder("gzip", MAX_BYTES).feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BYTES


def test_what_follows_the_end_of_a_packed_body_is_left_out_and_held_by_no_one() -> None:
    body = BodyDecoder("gzip", MAX_BYTES)
    tracemalloc.start()
    try:
        body.feed(gzip.compress(b"{}") + b"first")
        for _ in range(100):
            body.feed(bytes(MAX_BYTES // 10))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.finish() == b"{}"
    assert held < MAX_BYTES
