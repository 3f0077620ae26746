"""What is hidden in a free text, what is left alone, and where a text is cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.text.clean import MOST_CHARACTERS, clean
from liner_mcp.text.mask import mask, truncate

EMAIL, CARD, PHONE = "ivan@mail.ru", "4111 1111 1111 1111", "8 916 123-45-67"
PIECE = st.sampled_from(
    ["ivan", "@", "mail.ru", "собака", "точка", "ру", "at", "dot", "com", "(at)", "89161234567", PHONE, CARD,
     "4111111111111111", "5555", "12", "7", "20.11.2026", "-", "**-", "***", "\n", ".", "![", "<img", "%40", "+7",
     "**** 1111", EMAIL]
)  # fmt: skip


def test_addresses_cards_and_phones_are_hidden_at_once() -> None:
    text = f"Почта {EMAIL}, карта {CARD}, телефон {PHONE}."
    assert mask(text) == "Почта ***@mail.ru, карта **** 1111, телефон +7 *** ***-**-67."


def test_where_phones_are_shown_addresses_and_cards_stay_hidden() -> None:
    text = f"Почта {EMAIL}, карта {CARD}, телефон {PHONE}."
    assert mask(text, show_phones=True) == f"Почта ***@mail.ru, карта **** 1111, телефон {PHONE}."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{CARD} 89161234567", "**** 1111 +7 *** ***-**-67"),
        (f"89161234567 {CARD}", "+7 *** ***-**-67 **** 1111"),
        (f"{CARD} 123-45-67", "**** 1111 *** ***-**-67"),
        ("5105 1051 0510 5100 (495) 123-45-67", "**** 5100 +7 *** ***-**-67"),
        ("89161234567@mail.ru", "***@mail.ru"),
        ("8 916 123 45 67@mail.ru", "***@mail.ru"),
    ],
)
def test_neighbours_are_told_apart(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![знак](https://collector.example/p.png?c=1)", "! [знак](https://collector.example/p.png?c=1)"),
        ("!![x](y)", "!! [x](y)"),
        ('<IMG src="https://collector.example">', '< IMG src="https://collector.example">'),
        ("! [знак](x) [карточка](https://collector.example)", "! [знак](x) [карточка](https://collector.example)"),
    ],
)
def test_an_image_is_readable_but_not_live_and_a_link_stays(text: str, expected: str) -> None:
    assert mask(text) == expected


@given(st.one_of(st.lists(PIECE, max_size=14).map(" ".join), st.lists(PIECE, max_size=14).map("".join), st.text()))
def test_what_was_shown_once_is_shown_the_same_again(text: str) -> None:
    for show_phones in (False, True):
        once = mask(clean(text), show_phones=show_phones)
        assert mask(once, show_phones=show_phones) == once
        assert clean(once) == once


@given(st.lists(st.sampled_from(["Клиент ждёт", EMAIL, CARD, PHONE]), max_size=12), st.integers(-1, 300))
def test_a_cut_shows_nothing_that_the_mask_hid(parts: list[str], limit: int) -> None:
    masked = mask("; ".join(parts))
    start = truncate(masked, limit)
    assert masked.startswith(start.removesuffix("…"))
    assert not re.search(r"ivan|\d{5}|\d{3}-\d", start)


@pytest.mark.parametrize(
    "piece",
    ["@", "a@", "a@b.ru@", "@a.a.", "а собака ", " at dot", " at a dot", "a dot ", "4", "42 ", "4111 1111 1111 1111 ",
     "4111111111111111", "a@b.ru ", "%40", "![", "<img", "8 916 123-45-67 ", "8, 916, 123, 45, 67, ",
     "8_916_123_45_67_", "8, 9, ", "1_", "тел 1234567 ", "тел 1234567, ", "1234567, ", "тел. ", "дефис 8 ",
     "+971, 50, ", "+7 ", "номер ", "тел *** ***-**-67, ", "12 500 000, ", "79 8-916-12-345-67 ", "20.11.2026 "],
)  # fmt: skip
def test_no_repetition_is_read_more_than_a_few_times(piece: str) -> None:
    """A hundred kilobytes of anything take well under a second: a reading that blew up would never end."""
    masked = mask(piece * (100_000 // len(piece)))
    assert len(masked) > MOST_CHARACTERS or mask(masked) == masked


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
        ("и" + "\u0301" * 100, 100, "и" + "\u0301" * 66 + "…"),  # so many accents are no letter
    ],
)
def test_a_cut_ends_in_an_ellipsis_and_parts_no_letter_from_its_accent(text: str, limit: int, expected: str) -> None:
    assert truncate(text, limit) == expected


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_fits_its_limit(text: str, limit: int) -> None:
    shortened = truncate(text, limit)

    assert len(shortened) <= limit
    assert shortened == text or not shortened or shortened.endswith("…")
