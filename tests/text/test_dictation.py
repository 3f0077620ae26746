"""Numbers as a speech recogniser writes them: words between the groups, words for numbers, letters for digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask

PHONE, CARD = "+7 *** ***-**-67", "**** 1111"
MASKED = [
    ("8 916, ага, 123, записываю, 45, 67", PHONE),
    ("8 916 и 123 и 45 и 67", PHONE),
    ("8 9О5 1ОО 45 67", PHONE),
    ("8 916 12З-45-67", PHONE),
    ("8 916 сто двадцать три 45 67", PHONE),
    ("восемь, 916, 123, 45, шестьдесят семь", PHONE),
    ("8 916, okay, 123, and, 45 67", PHONE),
    ("4111 и 1111 и 1111 и 1111", CARD),
    ("4111, одиннадцать 11, 1111, 1111", CARD),
    ("41ll 1111 1111 1111", "41ll 1111 1111 1111"),  # other letters are not digits
]
SPARED = [
    "этажи 8 и 9, потом 10 и 11, 12 и 13",
    "квартиры 8, 916 и 123, 45, 67",
    "Обсудили 8 и 9 корпус, да, 12 этаж, и 45 метров",
    "договор 916 и 123 45 67 рублей",
    "5, так, 6, так, 7, так, 8",
    "12О рублей и 5 О",
    "три сына, 12 и 15 лет, две дочери, 7 и 9",
]
PIECES = st.sampled_from(
    ["8", "916", "123", "45", "67", "9О5", "4111", "1111", "и", "да,", ",", "сорок", "пять", "семь", "сто", "код", "О",
     "телефон", "+7", "**** 1111", PHONE, "-", ";", "квартиры", "руб"]
)  # fmt: skip


@pytest.mark.parametrize(("dictated", "masked"), MASKED)
def test_a_dictated_number_is_masked_and_the_words_around_it_stay(dictated: str, masked: str) -> None:
    assert mask(f"Диктует: {dictated}, и ждёт.") == f"Диктует: {masked}, и ждёт."


@pytest.mark.parametrize("text", SPARED)
def test_ordinary_numbers_with_words_between_stay(text: str) -> None:
    assert mask(text) == text


def test_the_words_between_two_numbers_stay() -> None:
    text = "карта 4111, 1111, 1111, 1111 и телефон 8 916, да, 123, 45, 67 и 12 этаж"
    assert mask(text) == f"карта {CARD} и телефон {PHONE} и 12 этаж"


def test_where_phones_are_shown_a_dictated_card_stays_hidden() -> None:
    text = "карта 4111 и 1111 и 1111 и 1111, номер 8 916 и 123 45 67"
    assert mask(text, show_phones=True) == f"карта {CARD}, номер 8 916 и 123 45 67"


@given(st.lists(PIECES, max_size=24), st.sampled_from([" ", ", "]))
def test_masking_twice_is_masking_once(pieces: list[str], glue: str) -> None:
    once = mask(clean(glue.join(pieces)))
    assert mask(once) == once


@given(st.lists(st.sampled_from(["восемь", "916", "123", "4О", "и", "сорок", "семь", "x"]), max_size=40))
def test_a_text_keeps_its_letters_where_nothing_is_masked(pieces: list[str]) -> None:
    text = " ".join(pieces)
    masked = mask(text)
    assert masked == text or "***" in masked
