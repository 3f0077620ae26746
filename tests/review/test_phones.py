"""Which numbers are hidden as phones, and which are left alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.review.phones import mask_phone, mask_phones
from liner_mcp.review.privacy import cut

RUSSIAN = [
    "+7 916 123-45-67",
    "+79161234567",
    "+ 7 916 123 45 67",
    "+7 (916) 123-45-67",
    "+7(916)1234567",
    "(+7) 916 123 45 67",
    "(+7 916) 123-45-67",
    "+7 916\n123-45-67",
    "8 (916) 123 45 67",
    "8(916)1234567",
    "(8 916) 123-45-67",
    "89161234567",
    "8916 1234567",
    "8-916-123-45-67",
    "8 - 916 - 123 - 45 - 67",
    "8.916.123.45.67",
    "8–916–123–45–67",
    "8\u2011916\u2011123\u201145\u201167",
    "8/916/123-45-67",
    "8 916 123 4567",
    "7 916 123 45 67",
    "8 9 1 6 1 2 3 4 5 6 7",
    "８９１６１２３４５６７",
    "＋７（９１６）１２３－４５－６７",
    "8 (495) 123-45-67",
    "84951234567",
    "8 (34394) 1-23-67",
    "+7 111 222 33 67",
]
RUSSIAN_WITHOUT_COUNTRY = [
    "9161234567",
    "916 123-45-67",
    "(916) 1234567",
    "91 61 23 45 67",
    "9 1 6 1 2 3 4 5 6 7",
    "(495) 123-45-67",
    "495 123 45 67",
    "495 123 4567",
    "4951234567",
    "(4852) 12-34-67",
]
FOREIGN = [
    ("+971 50 123 4567", "+971 *** ***-**-67"),
    ("050 123 4567", "+971 *** ***-**-67"),
    ("0501234567", "+971 *** ***-**-67"),
    ("04 312 3456", "+971 *** ***-**-56"),
    ("00971501234567", "+971 *** ***-**-67"),
    ("8 10 971 50 123 4567", "+971 *** ***-**-67"),
    ("971501234567", "+971 *** ***-**-67"),
    ("+7 701 123 45 67", "+7 *** ***-**-67"),
    ("8 701 123 45 67", "+7 *** ***-**-67"),
    ("+1 (415) 555-2671", "+1 *** ***-**-71"),
    ("+49 30 123456", "+49 *** ***-**-56"),
    ("+44 20 7946 0958", "+44 *** ***-**-58"),
    ("+44 (0)20 7946 0958", "+44 *** ***-**-58"),
    ("0044 20 7946 0958", "+44 *** ***-**-58"),
    ("07911 123456", "+44 *** ***-**-56"),
    ("+90 532 123 45 67", "+90 *** ***-**-67"),
    ("0532 123 45 67", "+90 *** ***-**-67"),
    ("+47 22 12 34 56", "+47 *** ***-**-56"),
    ("375 29 123-45-67", "+375 *** ***-**-67"),
    ("998901234567", "+998 *** ***-**-67"),
    ("+999 123 456 7890", "*** ***-**-90"),
    ("123-45-67", "*** ***-**-67"),
]
IN_CONTEXT = [
    ("тел89161234567,", "тел+7 *** ***-**-67,"),
    ("(звонить 8 (916) 123-45-67)", "(звонить +7 *** ***-**-67)"),
    ("(916 123-45-67)", "(+7 *** ***-**-67)"),
    ("+7 (916) 123-45-67 доб. 12", "+7 *** ***-**-67 доб. 12"),
    ("8 495 123-45-67#12", "+7 *** ***-**-67#12"),
    ("№ 89161234567", "№ +7 *** ***-**-67"),
    ("договор, тел. 9161234567", "договор, тел. +7 *** ***-**-67"),
    ("номер 9161234567", "номер +7 *** ***-**-67"),
    ("заказал 495 123 4567", "заказал +7 *** ***-**-67"),
    ("89161234567, 89161234568", "+7 *** ***-**-67, +7 *** ***-**-68"),
    ("89161234567/89161234568", "+7 *** ***-**-67/+7 *** ***-**-68"),
    ("8 916 123 45 67 8 916 123 45 68", "+7 *** ***-**-67 +7 *** ***-**-68"),
    ("8 (495) 123-45-67, 123-45-68", "+7 *** ***-**-67, *** ***-**-68"),
    ("12 500 000 8 916 123 45 67", "12 500 000 +7 *** ***-**-67"),
    ("8 916 123 45 67 900 000 ₽", "+7 *** ***-**-67 900 000 ₽"),
    ("+7 916 123 45 67 15 000 ₽", "+7 *** ***-**-67 15 000 ₽"),
    ("+1 500 000 8 916 123 45 67", "+1 500 000 +7 *** ***-**-67"),
    ("20.11.2026 8 916 123-45-67", "20.11.2026 +7 *** ***-**-67"),
    ("2026-11-20 89161234567", "2026-11-20 +7 *** ***-**-67"),
    ("кв. 10 900 123 45 67", "кв. 10 +7 *** ***-**-67"),
    ("**-89161234567", "**-+7 *** ***-**-67"),
]
SPARED = [
    # sums
    "12 500 000 ₽",
    "8 900 000 000 рублей",
    "8 900 000 000",
    "7,5 млн",
    "$1,250,000",
    "3 012 345 678",
    "9 161 234 567",
    "+1 500 000",
    "12.500.000",
    "9161234567 руб.",
    "$9161234567",
    "10 000 000 - 12 000 000",
    "8 900 000 - 9 500 000",
    "7 900 000–8 500 000",
    "78 900 000 - 100 000 000",
    "900 000 - 1 000 000",
    # dates and times
    "20.11.2026 10:02",
    "2026-11-20",
    "30.11.2026 15",
    "09.11.2026 15 00",
    "20/11/2026",
    "20-11-2026 10 000 000",
    "2026-11-20T10:02:33Z",
    "2026-11-20T10:02:33.123+03:00",
    "2026-2027",
    "1763632800",
    # contracts, ids, registers
    "договор № 4521-88/2026",
    "ДДУ-2026/1187",
    "№ 77-0123/45",
    "contract 2026-000123",
    "7000123",
    "7707083893",
    "ИНН 9161234567",
    "ИНН: 9161234567",
    "по заказу 9161234567",
    "заказ № 9161234567",
    "договор 495 123 4567",
    "order #9161234567",
    "order no. 9161234567",
    "Contract number 9161234567",
    "ОГРН 1027700132195",
    "БИК 044525225",
    "40817810900001234567",
    "77:01:0001001:1234",
    "4276 1234 5678 9012",
    "4276123456789012",
    # measures and machines
    "54,3 м²",
    "кв. 12",
    "15 %",
    "192.168.100.200",
    "10.0.12.255",
    "55.751244, 37.618423",
]
WORD = st.text(st.sampled_from("абвгдежзиклмнопрстуфхцчшщыьэюяabcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=12)
DIGITAL = st.text(st.sampled_from("0123456789789  --.()/+*\n,№"), max_size=80)


@pytest.mark.parametrize("spelling", RUSSIAN + RUSSIAN_WITHOUT_COUNTRY)
def test_a_russian_phone_keeps_its_country_and_two_digits(spelling: str) -> None:
    assert mask_phones(spelling) == "+7 *** ***-**-67"
    assert mask_phones(f"Телефон: {spelling}; просит перезвонить.") == "Телефон: +7 *** ***-**-67; просит перезвонить."


@pytest.mark.parametrize(("spelling", "masked"), FOREIGN)
def test_a_phone_of_another_country_keeps_that_country(spelling: str, masked: str) -> None:
    assert mask_phones(f"call {spelling}.") == f"call {masked}."


@pytest.mark.parametrize(("text", "masked"), IN_CONTEXT)
def test_only_the_phone_goes_from_what_stands_around_it(text: str, masked: str) -> None:
    assert mask_phones(text) == masked


@pytest.mark.parametrize("text", SPARED)
def test_a_number_that_is_no_phone_stays(text: str) -> None:
    assert mask_phones(text) == text
    assert mask_phones(f"Клиент сказал: {text}, затем ушёл") == f"Клиент сказал: {text}, затем ушёл"


@given(st.one_of(st.text(), DIGITAL))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_phones(mask_phones(text)) == mask_phones(text)


@given(st.lists(WORD), st.sampled_from(RUSSIAN), st.lists(WORD), st.sampled_from(["", " ", ", ", "\n"]))
def test_no_words_around_a_phone_bring_its_digits_back(
    before: list[str], spelling: str, after: list[str], glue: str
) -> None:
    masked = mask_phones(" ".join(before) + glue + spelling + glue + " ".join(after))

    assert "".join(re.findall(r"\d", masked)) == "767"


@given(st.integers(9_000_000_000, 9_999_999_999), st.sampled_from(["+7", "8", "7", "+7 ", "8 ", "8-"]), WORD)
def test_every_russian_mobile_is_hidden(number: int, country: str, word: str) -> None:
    masked = mask_phones(f"{word} {country}{number} {word}")

    assert masked == f"{word} +7 *** ***-**-{number % 100:02} {word}"


@given(st.lists(st.one_of(WORD, st.sampled_from(RUSSIAN)), max_size=12), st.integers(-1, 400))
def test_a_cut_shows_no_digit_that_the_mask_hid(parts: list[str], limit: int) -> None:
    masked = mask_phones("; ".join(parts))
    shown = cut(masked, limit)

    assert masked.startswith(shown.removesuffix("…"))
    assert not re.search(r"\d{3}", shown)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (None, None),
        ("", ""),
        ("+79161234567", "+7 *** ***-**-67"),
        ("89161234567", "+7 *** ***-**-67"),
        ("9161234567", "+7 *** ***-**-67"),
        ("84951234567", "+7 *** ***-**-67"),
        ("971501234567", "+971 *** ***-**-67"),
        ("00971501234567", "+971 *** ***-**-67"),
        (" +1 (415) 555-2671", "+1 *** ***-**-71"),
        ("123-45-67", "***67"),
        ("12345", "***45"),
        ("+0123", "***23"),
        ("anonymous", "***"),
        ("+7 916 123-45-67, +7 916 123-45-68", "***68"),
    ],
)
def test_a_phone_field_is_masked_even_when_it_cannot_be_read(value: str | None, masked: str | None) -> None:
    assert mask_phone(value) == masked
    assert mask_phone(masked) == masked


@given(st.one_of(st.text(), DIGITAL))
def test_a_phone_field_never_shows_more_than_a_country_and_two_digits(value: str) -> None:
    masked = mask_phone(value)

    assert masked is not None
    assert re.fullmatch(r"|(\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{3}\d{0,2}", masked)
    assert mask_phone(masked) == masked
