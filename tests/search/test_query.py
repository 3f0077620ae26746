"""Queries that are not of the language are refused in one sentence, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import InvalidArgument
from liner_mcp.search.query import parse_query
from tests.support.sentences import assert_says


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"первый взнос', "mentions_a_quotation_mark_is_not_closed"),
        ("«первый взнос", "mentions_a_quotation_mark_is_not_closed"),
        ("(a | b) c", "mentions_has_no_bracket"),
        ("ипотек*", "mentions_has_no_asterisk"),
        ("ипотека OR кредит", "mentions_has_no_or"),
        ("ипотека AND кредит", "mentions_has_no_and"),
        ("ипотека или кредит", "mentions_has_no_or_in_russian"),
        ("ипотека И кредит", "mentions_has_no_and_in_russian"),
        ("mortgage or loan", "mentions_has_no_or_in_lower_case"),
        ("NOT ипотека", "mentions_has_no_not"),
        ("!ипотека", "mentions_has_no_exclamation_mark"),
        ("| a", "mentions_either_is_misplaced"),
        ("a |", "mentions_either_is_misplaced"),
        ("a || b", "mentions_either_is_misplaced"),
        ("a | -b", "mentions_either_is_misplaced"),
        ("-a | b", "mentions_either_is_misplaced"),
        ("a - b", "mentions_minus_is_misplaced"),
        ("-", "mentions_minus_is_misplaced"),
        ('""', "mentions_minus_is_misplaced"),
        ("😀", "mentions_holds_no_word"),
        ("...", "mentions_holds_no_word"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(text: str, key: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_query(text)
    assert_says(str(caught.value), key, at_start=True, at_end=True)


@given(text=st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse_query(text)
    except InvalidArgument:
        return
    assert query.phrases
    assert all(query.phrases)
