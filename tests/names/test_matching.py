"""From what a person calls something to its id."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import InvalidArgument
from liner_mcp.names.matching import (
    CANDIDATES_PER_WORK,
    MAX_CANDIDATES,
    Candidate,
    Candidates,
    contains,
    join_names,
    normalize_name,
    resolve_ids_steps,
    resolve_name,
)
from liner_mcp.text.masking_steps import completed
from tests.support.sentences import assert_says, recorded
from tests.text.test_long_texts import calls_counted

PEOPLE = (
    Candidate((101,), "Anna Petrova", ("Petrova Anna",)),
    Candidate((102,), "Анна Смирнова #102", ("Смирнова Анна", "Анна Смирнова")),
    Candidate((103,), "Анна Смирнова #103", ("Смирнова Анна", "Анна Смирнова")),
    Candidate((104,), "Семён Ёлкин", ("Ёлкин Семён",)),
    Candidate((105,), "Joanna Lee"),
    Candidate((106,), "Андрей Зайцев"),
    Candidate((106, 104), "Вечерняя смена", ("Evening shift",)),
)


def resolve_ids(argument: str, requested: list[int | str], candidates: Candidates) -> tuple[int, ...]:
    return completed(resolve_ids_steps(argument, requested, candidates))


def resolved(name: str) -> tuple[int, ...] | None:
    return resolve_name("agents", name, Candidates(PEOPLE)).ids


def refusal(name: str, candidates: tuple[Candidate, ...] = PEOPLE) -> str:
    with pytest.raises(InvalidArgument) as raised:
        resolve_name("agents", name, Candidates(candidates))
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        pytest.param("Anna Petrova", (101,), id="exact"),
        pytest.param("anna petrova", (101,), id="case"),
        pytest.param("  ANNA   Petrova ", (101,), id="spaces"),
        pytest.param("Anna", (101,), id="a beginning wins over a part: Joanna"),
        pytest.param("anna p", (101,), id="beginning"),
        pytest.param("oanna", (105,), id="part"),
        pytest.param("lee joanna", (105,), id="words in any order"),
        pytest.param("petr anna", (101,), id="parts of words in any order"),
        pytest.param("Petrova Anna", (101,), id="last name first"),
        pytest.param("СЕМЁН ёлкин", (104,), id="Cyrillic case"),
        pytest.param("семен елкин", (104,), id="ё is е"),
        pytest.param(unicodedata.normalize("NFD", "Андрей"), (106,), id="a letter and its mark apart"),
        pytest.param("«Зайцев»", (106,), id="quotation marks"),
        pytest.param("Анна Смирнова #103", (103,), id="as it is shown"),
        pytest.param("вечерняя", (106, 104), id="a group stands for its agents"),
        pytest.param("evening SHIFT", (106, 104), id="the other name of a group"),
    ],
)
def test_a_name_finds_what_it_means(name: str, ids: tuple[int, ...]) -> None:
    assert resolved(name) == ids


def test_an_exact_name_wins_over_longer_ones() -> None:
    parks = (Candidate((1,), "Park"), Candidate((2,), "Park Lane"), Candidate((3,), "Central Park"))
    assert resolve_name("orders", "park", Candidates(parks)).ids == (1,)
    assert resolve_name("orders", "park l", Candidates(parks)).ids == (2,)


def test_numbers_are_ids_and_everything_found_comes_once_in_the_order_asked() -> None:
    assert resolve_ids("agents", [999, "Anna Petrova", "вечерняя смена", 101, 104], Candidates(PEOPLE)) == (
        999,
        101,
        106,
        104,
    )
    assert resolve_ids("agents", [], Candidates(PEOPLE)) == ()


def test_two_of_one_name_are_refused_with_their_ids() -> None:
    assert refusal("анна смирнова") == (
        'agents: "анна смирнова" fits 2: Анна Смирнова #102, Анна Смирнова #103. '
        "Send an id, all of the ids, or more of the name."
    )


def test_what_fits_several_is_refused_with_the_candidates_and_what_to_send_for_each() -> None:
    assert refusal("ан") == (
        'agents: "ан" fits 3: Анна Смирнова #102, Анна Смирнова #103, Андрей Зайцев (#106). '
        "Send an id, all of the ids, or more of the name."
    )


def test_what_fits_nothing_is_refused_with_all_there_is_when_that_is_little() -> None:
    assert refusal("Борис") == (
        'agents: nothing is called "Борис". There are Anna Petrova (#101), Анна Смирнова #102, Анна Смирнова #103, '
        "Семён Ёлкин (#104), Joanna Lee (#105), Андрей Зайцев (#106), Вечерняя смена (2 agents)."
    )


def test_of_many_the_near_ones_are_offered() -> None:
    many = (*PEOPLE, *(Candidate((number,), f"Order {number}") for number in range(200, 240)))
    near = refusal("Ана Смирнов", many)
    assert near.startswith('agents: nothing is called "Ана Смирнов". Did you mean Анна Смирнова #10')
    assert "#102" in near
    assert "#103" in near
    assert "Order" not in near
    assert near.endswith(recorded("if_not_list_directory_lists_all")), "the near ones may all be other people"
    sentence = refusal("Борис", many)
    assert_says(sentence, "of_47_there_are_for_example")
    assert_says(sentence, "list_directory_lists_them_all")


def test_of_many_that_fit_some_are_listed_and_the_rest_counted() -> None:
    many = tuple(Candidate((number,), f"Заказ {number}") for number in range(200, 240))
    sentence = refusal("заказ", many)
    assert '"заказ" fits 40: Заказ 200 (#200), ' in sentence
    assert sentence.count("(#") == MAX_CANDIDATES
    assert "and 32 more" in sentence


def test_an_empty_dictionary_asks_for_an_id() -> None:
    assert refusal("Anna", ()) == recorded("agents_nothing_is_called_anna_liner")


def test_a_long_name_is_not_echoed_whole() -> None:
    assert len(refusal("я" * 5_000)) < 500


@pytest.mark.parametrize(
    ("wanted", "text", "found"),
    [
        ("берег", "ЖК Северный Берег", True),
        ("СЕВЕР", "ЖК Северный Берег", True),
        ("берег жк", "ЖК Северный Берег", True),
        ("береги", "ЖК Северный Берег", False),
        ("зел", "Зелёный", True),
        ("зелен", "ЗЕЛЁНЫЙ", True),
    ],
)
def test_a_query_is_found_anywhere_in_a_name(wanted: str, text: str, found: bool) -> None:
    assert contains(normalize_name(wanted), normalize_name(text)) is found


# Where there may be others --------------------------------------------------------------------------------------------


def refusal_in_part(name: str, argument: str = "agents") -> str:
    with pytest.raises(InvalidArgument) as raised:
        resolve_name(argument, name, Candidates(PEOPLE, doubt="agent groups could not be read from Liner"))
    return str(raised.value)


def test_a_name_that_fits_nothing_in_a_part_may_be_right() -> None:
    assert refusal_in_part("Борис") == recorded("agents_is_none_of_the_names_that_were_read")
    assert refusal_in_part("Борис", "statuses").endswith("Send its code, or ask again later.")
    assert_says(refusal_in_part("Ана Смирнов"), "ask_again_later_did_you_mean", at_end=True)


def test_a_name_that_fits_several_in_a_part_fits_at_least_those() -> None:
    assert refusal_in_part("Анна Смирнова") == recorded("agents_fits_at_least_2")


def test_a_name_that_fits_one_in_a_part_is_taken() -> None:
    assert resolve_name("agents", "oanna", Candidates(PEOPLE, doubt="unread")).ids == (105,)


# What counts as equal -------------------------------------------------------------------------------------------------

EQUAL: tuple[tuple[str, ...], ...] = (
    tuple("О" + apostrophe + "Коннор" for apostrophe in ("'", "’", "‘", "ʼ", "`", "´", "′", "＇", "")),
    ('ЖК "Берег"', "ЖК «Берег»", "ЖК “Берег”", "ЖК „Берег“", "ЖК ″Берег″", "ЖК (Берег)", "ЖК Берег"),
    ("Парк-2", "Парк‑2", "Парк – 2", "Парк—2", "Парк−2", "Парк 2", "Парк_2", "Парк\u00a0 2", "  Парк\t2\n"),
    ("Андрей", unicodedata.normalize("NFD", "Андрей"), "Анд\u200bрей", "\ufeffАндрей", "Анд\u00adрей"),
    ("Алёна", "Алена", unicodedata.normalize("NFD", "АЛЁНА"), "Aлена"),
    ("Groß", "GROSS", "gross", "Ｇｒｏß", "GROẞ"),
    ("İpek", "ipek", "Ipek", "ıpek"),
    ("Cириус", "Сириус", "СИРИУС"),
    ("Rivеrside", "Riverside"),  # the е in the first is Cyrillic
)


@pytest.mark.parametrize("spellings", EQUAL, ids=lambda found: found[0])
def test_spellings_that_look_equal_are_compared_as_equal(spellings: tuple[str, ...]) -> None:
    assert {normalize_name(one) for one in spellings} == {normalize_name(spellings[0])}
    for one in spellings:
        assert resolve_name("orders", one, Candidates([Candidate((7,), spellings[0]), *PEOPLE])).ids == (7,)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Андрей", "Андреи"), ("Max", "Мах"), ("Парк 1", "Парк 2"), ("Müller", "Muller"), ("Анна", "Анны")],
)
def test_spellings_that_look_different_are_not_equal(one: str, other: str) -> None:
    assert normalize_name(one) != normalize_name(other)


_NAMES = st.text(st.sampled_from("abAB йЙёЁеоОßİı'’´«»-—_()\u0306\u0308\u200b\u00a0") | st.characters(), max_size=12)


@given(_NAMES)
def test_a_compared_form_is_compared_as_itself(name: str) -> None:
    compared = normalize_name(name)
    assert normalize_name(compared) == compared
    assert compared == compared.strip()


_WIDE = {code: code + 0xFEE0 for code in range(0x41, 0x7B) if chr(code).isalpha()}
_OVERLOOKED: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    str.swapcase,
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: text.replace("'", "’"),
    lambda text: text.replace("-", "—"),
    lambda text: text.replace("ё", "е").replace("Ё", "Е"),
    lambda text: text.replace(" ", "\u00a0  "),
    "\u200b".join,
    lambda text: text.translate(_WIDE),
]


@given(st.text("abcXYZабвгёйщЯЖЭ ßİ'-(", max_size=12), st.lists(st.sampled_from(_OVERLOOKED), max_size=4))
def test_no_change_that_a_person_overlooks_changes_what_a_name_means(
    name: str, changes: list[Callable[[str], str]]
) -> None:
    changed = name
    for change in changes:
        changed = change(changed)
    assert normalize_name(changed) == normalize_name(name)


@given(st.sampled_from(PEOPLE), _NAMES)
def test_a_listing_finds_what_a_filter_finds(candidate: Candidate, name: str) -> None:
    wanted = normalize_name(name)
    if wanted and Candidates([candidate]).fitting(wanted):
        texts = [normalize_name(text) for text in (candidate.name, candidate.label, *candidate.aliases)]
        assert any(contains(wanted, text) for text in texts)


@pytest.mark.parametrize("name", ["(", '"', "—", "'", "« »", "_", "\u200b"])
def test_a_text_without_letters_and_digits_is_no_name(name: str) -> None:
    assert_says(refusal(name), "agents_has_no_letter_or_digit")


def test_a_candidate_is_found_by_the_label_that_a_refusal_shows() -> None:
    assert resolved("Joanna Lee (#105)") == (105,)
    assert resolved("#105") == (105,)
    assert resolved("Вечерняя смена (2 agents)") == (106, 104)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Anna Petrova, Joanna Lee", (101, 105)),
        ("Anna Petrova; 31,joanna", (101, 31, 105)),
        ("[Anna Petrova, «Joanna Lee»]", (101, 105)),
        ("Petrova, Anna", (101,)),
        ("Joanna Lee,", (105,)),
    ],
)
def test_one_text_may_hold_several_names(text: str, ids: tuple[int, ...]) -> None:
    assert resolve_ids("agents", [text], Candidates(PEOPLE)) == ids


def test_a_name_with_a_comma_stays_whole() -> None:
    orders = Candidates([Candidate((1,), "Park, Lane"), Candidate((2,), "Park"), Candidate((3,), "Lane")])
    assert resolve_ids("orders", ["park, lane"], orders) == (1,)
    assert resolve_ids("orders", ["Park; Lane"], orders) == (2, 3)
    assert resolve_ids("orders", ["Park, Lane", "Park"], orders) == (1, 2)


def test_of_several_names_in_one_text_the_unknown_one_is_named() -> None:
    with pytest.raises(InvalidArgument, match='nothing is called "Борис"'):
        resolve_ids("agents", ["Anna Petrova, Борис"], Candidates(PEOPLE))


# Bounded work ---------------------------------------------------------------------------------------------------------

MANY = [Candidate((number,), f"Анна {number} Петрова", (f"Петрова Анна {number}",)) for number in range(1_000, 4_000)]


@pytest.mark.parametrize("name", ["Анна {} Петрова", "Петрова Анна {}", "анна {}", "петрова {} ан", "#{}"])
def test_a_hundred_names_are_looked_up_one_after_another_without_a_call_per_candidate(name: str) -> None:
    candidates, names = Candidates(MANY), [name.format(number) for number in range(2_000, 2_100)]
    steps = resolve_ids_steps("agents", names, candidates)
    work = 0
    for _ in names:
        with calls_counted() as counted:
            work += next(steps)
        # Only the words of a name in any order take calls, some of them per candidate.
        assert counted.count < 8 * len(MANY)
    assert work >= len(names) * len(MANY) // CANDIDATES_PER_WORK
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == tuple(range(2_000, 2_100))


def test_a_misspelt_name_is_compared_with_thousands_in_two_calls_each() -> None:
    candidates = Candidates(MANY)
    with calls_counted() as counted:
        assert candidates.near("аня 2000 петрова")
    assert counted.count < 30_000


def test_joined_names_are_searched_as_each_of_them() -> None:
    names = join_names(["анна петрова", "ольга иванова"])
    assert contains("петрова анна", names)
    assert contains("ольга", names)
    assert not contains("анна иванова", names)  # words of two names
    assert not contains("петрова ольга", names)
