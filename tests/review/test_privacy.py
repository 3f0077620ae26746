"""What is hidden in a free text, what is left alone, and where a text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.review.privacy import cut


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Client agrees", 13, "Client agrees"),
        ("Client agrees", 12, "Client agre…"),
        ("Client agrees", 8, "Client…"),
        ("Client agrees", 1, "…"),
        ("Client agrees", 0, ""),
        ("Client agrees", -1, ""),
        ("", 0, ""),
        ("cafe\u0301 noir", 5, "caf…"),
        ("cafe\u0301 noir", 6, "cafe\u0301…"),
        ("и\u0306\u0301!!", 3, "…"),
    ],
)
def test_a_cut_ends_in_an_ellipsis_and_parts_no_letter_from_its_accent(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_fits_its_limit(text: str, limit: int) -> None:
    shortened = cut(text, limit)

    assert len(shortened) <= limit
    assert shortened == text or not shortened or shortened.endswith("…")
