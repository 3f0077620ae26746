"""From what a person calls something to its id."""

from __future__ import annotations

import unicodedata

import pytest

from liner_mcp.errors import InvalidArgument
from liner_mcp.names.matching import (
    MAX_CANDIDATES,
    Candidate,
    Candidates,
    contains,
    normalize_name,
    resolve_ids,
    resolve_name,
)
from tests.support.sentences import assert_says, recorded

PEOPLE = (
    Candidate((101,), "Anna Petrova", ("Petrova Anna",)),
    Candidate((102,), "Анна Смирнова #102", ("Смирнова Анна", "Анна Смирнова")),
    Candidate((103,), "Анна Смирнова #103", ("Смирнова Анна", "Анна Смирнова")),
    Candidate((104,), "Семён Ёлкин", ("Ёлкин Семён",)),
    Candidate((105,), "Joanna Lee"),
    Candidate((106,), "Андрей Зайцев"),
    Candidate((106, 104), "Вечерняя смена", ("Evening shift",)),
)


def resolved(name: str) -> tuple[int, ...]:
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
