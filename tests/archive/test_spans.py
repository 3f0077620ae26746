"""Arithmetic of spans, against sets of seconds."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.archive.spans import Span, common, intersect, subtract, union

spans = st.builds(Span, st.integers(0, 30), st.integers(0, 30))


def _seconds(parts: list[Span]) -> set[int]:
    return {second for part in parts for second in range(*part)}


@given(st.lists(spans))
def test_a_union_holds_the_same_seconds_in_separate_spans_in_order(parts: list[Span]) -> None:
    joined = union(parts)
    assert _seconds(joined) == _seconds(parts)
    assert all(one.until < following.since for one, following in itertools.pairwise(joined))


@given(spans, st.lists(spans))
def test_what_is_covered_and_what_is_left_are_the_whole(whole: Span, parts: list[Span]) -> None:
    covered, left = _seconds(intersect(whole, parts)), _seconds(subtract(whole, parts))
    assert covered | left == _seconds([whole])
    assert not covered & left
    assert covered <= _seconds(parts)


@given(spans, st.lists(st.lists(spans), min_size=1))
def test_common_parts_are_covered_by_every_list(whole: Span, lists: list[list[Span]]) -> None:
    expected = _seconds([whole])
    for one in lists:
        expected &= _seconds(one)
    assert _seconds(common(whole, lists)) == expected
