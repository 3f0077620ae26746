"""Which numbers are hidden as phones, and which are left alone."""

import re
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.text.mask import truncate
from liner_mcp.text.masking_steps import DigitReader, completed
from liner_mcp.text.phones.mask_phones import mask_phone, phone_steps


def mask_phones(text: str) -> str:
    reader = DigitReader()
    text, spans = completed(reader.spans(text))
    return completed(phone_steps(text, spans, reader))


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
PARTED_OTHERWISE = [
    "8, 916, 123, 45, 67",
    "8,916,123,45,67",
    "+7, 916, 123, 45, 67",
    "+7, 701, 123, 45, 67",
    "8_916_123_45_67",
    "+7_916_123_45_67",
    "916_123_45_67",
    "8 916, 123 45 67",
    "8-916, 123-45-67",
    "8 916 123, 45, 67",
    "8, (916), 123, 45, 67",
    "8,(916),123,45,67",
    "8, 916, 123, 4567",
    "8, 916, 12, 345, 67",
    "8, 495, 123, 45, 67",
    "8916, 123, 45, 67",
    "8, 9, 1, 6, 1, 2, 3, 4, 5, 6, 7",
    "8; 916; 123; 45; 67",
    "8:916:123:45:67",
    "8|916|123|45|67",
    "8 • 916 • 123 • 45 • 67",
    "8 916… 123… 45… 67",
    "8 916 ... 123 ... 45 ... 67",
    "8     916     123     45     67",
    "8&nbsp;916&nbsp;123&nbsp;45&nbsp;67",
    "8 916 123 дефис 45 дефис 67",
    "8 [916] 123-45-67",
    "8 916 **123-45-67",
]
ANNOUNCED = [
    ("тел 1234567", "тел *** ***-**-67"),
    ("тел.: 123 45 67", "тел.: *** ***-**-67"),
    ("Телефон: 123 4567", "Телефон: *** ***-**-67"),
    ("номер телефона 1234567", "номер телефона *** ***-**-67"),
    ("номер телефона клиента - 1234567", "номер телефона клиента - *** ***-**-67"),
    ("телефон 123, 45, 67", "телефон *** ***-**-67"),
    ("тел_1234567", "тел_*** ***-**-67"),
    ("тел. 1, 2, 3, 4, 5, 6, 7", "тел. *** ***-**-67"),
    ("моб. 1234567", "моб. *** ***-**-67"),
    ("перезвонить на 123 45 67", "перезвонить на *** ***-**-67"),
    ("мой номер 1234567", "мой номер *** ***-**-67"),
    ("phone number: 123 4567", "phone number: *** ***-**-67"),
    ("tel 123-4567", "tel *** ***-**-67"),
    ("call me back at 123 4567", "call me back at *** ***-**-67"),
    ("тел. 1234567, 1234568 и 1234569", "тел. *** ***-**-67, *** ***-**-68 и *** ***-**-69"),
    ("тел. 8 (495) 123-45-67, 1234568", "тел. +7 *** ***-**-67, *** ***-**-68"),
    ("тел. 123 45 67, 12 этаж", "тел. *** ***-**-67, 12 этаж"),
    ("тел. 1234567, 7500000 бюджет", "тел. *** ***-**-67, 7500000 бюджет"),
    ("телефон 33612345678", "телефон +33 *** ***-**-78"),
    ("phone: 33 6 12 34 56 78", "phone: +33 *** ***-**-78"),
    ("phone: 33, 6, 12, 34, 56, 78", "phone: +33 *** ***-**-78"),
    ("phone 49 176 12345678", "phone +49 *** ***-**-78"),
    ("phone 14155552671", "phone +1 *** ***-**-71"),
    ("WhatsApp 919876543210", "WhatsApp +91 *** ***-**-10"),
    ("phone 0612345678", "phone +49 *** ***-**-78"),
    ("phone 123456789012", "phone *** ***-**-12"),
    ("телефон 916, 123, 45, 67", "телефон +7 *** ***-**-67"),
    ("+971, 50, 123, 45, 67", "+971 *** ***-**-67"),
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
    ("кв. 12, 8, 916, 123, 45, 67, 2 комнаты", "кв. 12, +7 *** ***-**-67, 2 комнаты"),
    ("после 8, 916 123 45 67", "после 8, +7 *** ***-**-67"),
    ("8, 916, 123, 45, 67, 8, 916, 123, 45, 68", "+7 *** ***-**-67, +7 *** ***-**-68"),
    ("7 4\n8,9,1,6,1,2,3,4,5,6,7", "7 4\n+7 *** ***-**-67"),
    ("**8** **916** **123** **45** **67**", "**+7 *** ***-**-67**"),
    ("| 8 | 916 | 123 | 45 | 67 |", "| +7 *** ***-**-67 |"),
    ("79 8-916-12-345-67", "79 +7 *** ***-**-67"),
    ("№ 88/2026. 8-9-1-6-1-2-3-4-5-6-7", "№ 88/2026. +7 *** ***-**-67"),
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
    # lists, of which commas part the members
    "этажи 8, 9, 10, 11, 12, 14, 16",
    "floors 7, 9, 12, 14, 15, 16, 18",
    "квартиры 8, 916, 123, 45, 67",
    "лоты 5, 8, 916, 123, 45, 67",
    "2, 5, 8, 916, 123, 45, 67",
    "916, 123, 45, 67",
    "оценки 8, 9, 9, 7, 8, 9, 10, 7, 8, 9, 9",
    "10, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9",
    "8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
    "8, 916, 123, 45, 67 м²",
    "8,900,000, 10, 15",
    "8 950 000, 12, 15",
    "7 900 000, 8 500 000, 9 100 000",
    "12 500 000, 14 200 000 и 16 900 000",
    "8,916,123.45",
    "54,3, 67,8, 91,6 м2",
    "8.916, 1.234, 5.67",
    "7000001, 7000002, 7000003",
    "ids 8000001, 8000002, 9000003",
    "call_7000001_8000002.mp3",
    "REC_20261120_100233",
    "20_11_2026_10_02",
    "9_11_2026_10_02",
    "8:916 и 10:30, 11:45",
    "77:01:0001001:1234",
    # numbers behind words that are near a phone, and others behind a phone's word
    "по телефону 1 500 000 рублей",
    "по телефону назвал 1500000",
    "по телефону 20.11.2026 в 10:00",
    "по телефону с 10 до 19",
    "телефон: 12 500 000",
    "телефон 1234567 рублей",
    "перезвонить на 10:30, 11:45, 12:30",
    "перезвонить 20-11-2026",
    "перезвонить по заявке 1234567",
    "call at 10:00-18:30",
    "call on 2026-11-20 10:02:33",
    "phone call 7000001",
    "phone calls: 7000001, 7000002",
    "call 7000001",
    "номер 1234567",
    "номер договора 1234567",
    "мой номер заказа 1234567",
    "набрал 1 234 567 просмотров",
    "мобильный банк 1234567",
    "телевизор 1234567",
    "hotel 1234567",
]
WORD = st.text(st.sampled_from("абвгдежзиклмнопрстуфхцчшщыьэюяabcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=12)
DIGITAL = st.text(st.sampled_from("0123456789789  --.()/+*\n,№"), max_size=80)


@pytest.mark.parametrize("spelling", RUSSIAN + RUSSIAN_WITHOUT_COUNTRY + PARTED_OTHERWISE)
def test_a_russian_phone_keeps_its_country_and_two_digits(spelling: str) -> None:
    assert mask_phones(spelling) == "+7 *** ***-**-67"
    assert mask_phones(f"Телефон: {spelling}; просит перезвонить.") == "Телефон: +7 *** ***-**-67; просит перезвонить."


@pytest.mark.parametrize(("spelling", "masked"), FOREIGN)
def test_a_phone_of_another_country_keeps_that_country(spelling: str, masked: str) -> None:
    assert mask_phones(f"call {spelling}.") == f"call {masked}."


@pytest.mark.parametrize(("text", "masked"), ANNOUNCED)
def test_a_number_that_a_word_calls_a_phone_is_hidden(text: str, masked: str) -> None:
    assert mask_phones(text) == masked
    assert mask_phones(f"Клиент ждёт ({text}).") == f"Клиент ждёт ({masked})."


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


DIGITS = st.text("0123456789", min_size=9, max_size=9)
SHAPE = st.sampled_from([(3, 3, 2, 2), (3, 3, 4), (3, 7), (10,), (3, 2, 2, 3), (3, 2, 3, 2), (1,) * 10])
PARTING = st.sampled_from([" ", "-", " - ", ".", "–", "/", ", ", "_", "; ", ":", "|", "…", "... ", " дефис ", "     "])
AROUND = st.lists(
    st.sampled_from(
        ["клиент", "просит", "перезвонить", "the client", "тел.", "phone", "12 500 000 ₽", "20.11.2026", "10:30",
         "54,3 м²", "кв. 12", "2 комнаты", "15 %", "договор № 4521-88/2026", "+", "(", "**",
         "**** 1234", "+7 *** ***-**-55"]
    ),
    max_size=5,
)  # fmt: skip


@given(DIGITS, st.sampled_from(["+7", "8", "7"]), SHAPE, PARTING, st.booleans(), AROUND, AROUND)
def test_no_seven_digits_of_a_dictated_mobile_survive_among_other_numbers(
    digits: str,
    country: str,
    shape: tuple[int, ...],
    parting: str,
    in_brackets: bool,
    before: list[str],
    after: list[str],
) -> None:
    groups = split_digits(shape, f"9{digits}")
    if in_brackets:
        groups[0] = f"({groups[0]})"
    phone = parting.join([country, *groups])

    masked = mask_phones(" ".join([*before, f"звонить {phone}.", *after]))

    assert not unmasked_digits(masked, f"9{digits}"), masked


@given(
    st.text("123456789", min_size=7, max_size=7),
    st.sampled_from(["тел. ", "Телефон: ", "номер телефона ", "phone ", "tel: ", "позвонить по "]),
    st.sampled_from([(7,), (3, 4), (3, 2, 2)]),
    st.sampled_from([" ", "-", ", ", "_"]),
    AROUND,
    AROUND,
)
def test_no_seven_digits_of_an_announced_number_survive_among_other_numbers(
    number: str, word: str, shape: tuple[int, ...], parting: str, before: list[str], after: list[str]
) -> None:
    masked = mask_phones(" ".join([*before, f"{word}{parting.join(split_digits(shape, number))}.", *after]))

    assert not unmasked_digits(masked, number), masked


def split_digits(shape: tuple[int, ...], number: str) -> list[str]:
    ends = list(accumulate(shape))
    return [number[end - size : end] for size, end in zip(shape, ends, strict=True)]


def unmasked_digits(text: str, number: str) -> list[str]:
    """The runs of seven digits of a number that still stand in a text, whatever but letters parts them."""
    runs = [re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[^A-Za-zА-Яа-я\d]{0,8}\d)*", text)]
    parts = [number[start : start + 7] for start in range(len(number) - 6)]
    return [part for part in parts if any(part in run for run in runs)]


@given(st.integers(9_000_000_000, 9_999_999_999), st.sampled_from(["+7", "8", "7", "+7 ", "8 ", "8-"]), WORD)
def test_every_russian_mobile_is_hidden(number: int, country: str, word: str) -> None:
    masked = mask_phones(f"{word} {country}{number} {word}")

    assert masked == f"{word} +7 *** ***-**-{number % 100:02} {word}"


@given(st.lists(st.one_of(WORD, st.sampled_from(RUSSIAN)), max_size=12), st.integers(-1, 400))
def test_a_cut_shows_no_digit_that_the_mask_hid(parts: list[str], limit: int) -> None:
    masked = mask_phones("; ".join(parts))
    shown = truncate(masked, limit)

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
