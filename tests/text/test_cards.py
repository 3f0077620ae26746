"""Which numbers are hidden as payment cards, and which are left alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.text.cards import card_steps
from liner_mcp.text.masking_steps import completed
from liner_mcp.text.phones.digit_groups import find_digit_spans


def mask_cards(text: str) -> str:
    return completed(card_steps(text, find_digit_spans(text)))


HIDDEN = [
    ("4111 1111 1111 1111", "1111"),  # Visa
    ("4111111111111111", "1111"),
    ("4111-1111-1111-1111", "1111"),
    ("4111 - 1111 - 1111 - 1111", "1111"),
    ("4111–1111–1111–1111", "1111"),
    ("41111111 11111111", "1111"),
    ("41 11 11 11 11 11 11 11", "1111"),
    ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "1111"),
    ("4111\n1111\n1111\n1111", "1111"),
    ("４１１１ １１１１ １１１１ １１１１", "1111"),
    ("4222222222222", "2222"),
    ("5555 5555 5555 4444", "4444"),  # Mastercard
    ("2223 0031 2200 3222", "3222"),
    ("2200 0000 0000 0004", "0004"),  # Mir
    ("2202 2000 0000 0000 040", "0040"),
    ("3782 822463 10005", "0005"),  # American Express
    ("3056 930902 5904", "5904"),  # Diners
    ("3530 1113 3330 0000", "0000"),  # JCB
    ("6011 0009 9013 9424", "9424"),  # Discover
    ("6200 0000 0000 0005", "0005"),  # UnionPay
    ("6759 6498 2643 8453", "8453"),  # Maestro
    ("8600 0000 0000 0007", "0007"),  # Uzcard
]
SPARED = [
    "4111 1111 1111 1112",  # the check digit is wrong
    "1111 1111 1111 1117",  # no issuer begins like this
    "4111 1111 1111",
    "41111111111111111111",  # twenty digits are an account
    "40817810900001234567",
    "4 111 111 111 111 111",  # sums are parted by thousands
    "411 111 111 111 111 1",
    "22.01.2026 03.02.2026",  # begins like a Mir card and has its check digit
    "2026-11-20 2026-11-21",
    "лоты 4111, 1111, 1111, 1111",  # commas separate the numbers of a list, too
    "4111, 1111, 1111, 1111, 1111",
    "4111, 1111, 1111, 1111 м²",
    "5200, 4800, 4700, 4600",  # amounts
    "41, 11, 11, 11, 11, 11, 11, 11",  # pairs with commas are a card only after a word for one
    "356938035643809",  # a telephone's own number
    "1763632800000",
    "8 916 123 45 67 8 916 123 45 68",
    "**** 1111",
]
DICTATED = [
    "4111, 1111, 1111, 1111",
    "4111. 1111. 1111. 1111",
    "4111… 1111… 1111… 1111",
    "4111; 1111 1111, 1111",
    "4111 ... 1111 ... 1111 ... 1111",
    "41, 11, 11, 11, 11, 11, 11, 11",
    "4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
]
DIGITAL = st.text(st.sampled_from("0123456789 -.\n*"), max_size=80)


@pytest.mark.parametrize(("card", "last_four"), HIDDEN)
def test_a_card_keeps_its_last_four_digits(card: str, last_four: str) -> None:
    assert mask_cards(card) == f"**** {last_four}"
    assert mask_cards(f"Карта {card}, срок 12/28.") == f"Карта **** {last_four}, срок 12/28."


@pytest.mark.parametrize("card", DICTATED)
def test_a_card_with_the_pauses_of_a_recogniser_is_hidden(card: str) -> None:
    assert mask_cards(f"Карта {card}, срок 12/28.") == "Карта **** 1111, срок 12/28."


def test_the_code_and_the_phone_beside_a_card_are_no_part_of_it() -> None:
    assert mask_cards("4111 1111 1111 1111 123") == "**** 1111 123"
    assert mask_cards("8 916 123 45 67 4111 1111 1111 1111") == "8 916 123 45 67 **** 1111"
    assert mask_cards("4111 1111 1111 1111 5555 5555 5555 4444") == "**** 1111 **** 4444"


@pytest.mark.parametrize("text", SPARED)
def test_a_number_that_is_no_card_stays(text: str) -> None:
    assert mask_cards(text) == text


@given(st.integers(0, 10**14 - 1), st.sampled_from(["", " ", "-"]))
def test_of_ten_ends_just_the_right_one_makes_a_card(middle: int, glue: str) -> None:
    digits = f"4{middle:014}"
    numbers = [digits + str(end) for end in range(10)]
    spelled = [glue.join(number[i : i + 4] for i in range(0, 16, 4)) for number in numbers]
    assert sum(mask_cards(text) != text for text in spelled) == 1


@given(DIGITAL)
def test_masking_twice_is_masking_once_and_shows_no_card_of_sixteen_digits(text: str) -> None:
    once = mask_cards(text)
    assert mask_cards(once) == once
    assert not re.search(r"4111 ?1111 ?1111 ?1111", once)


@pytest.mark.parametrize("parted", ["4111/1111/1111/1111", "4111_1111_1111_1111"])
def test_a_card_is_hidden_whatever_parts_its_groups(parted: str) -> None:
    assert mask_cards(f"Карта {parted}, клиент согласен") == "Карта **** 1111, клиент согласен"
