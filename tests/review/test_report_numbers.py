"""The numbers of a report: means with their number of calls, what is unknown apart, and the order of hearing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.scorecard import Scorecard, VerdictWord
from tests.review.cards import card, verdict

FATAL = verdict("agreed", "no", fatal=True)
WORDS: list[VerdictWord] = ["yes", "no", "not_mentioned", "cannot_tell"]


def test_a_mean_is_of_the_calls_with_a_score_only() -> None:
    cards = [card(1, {"a": "yes"}), card(2, {"a": "no"}), card(3, {"a": "not_mentioned"})]
    assert numbers.mean_score(cards) == (50.0, 2)
    assert numbers.mean_score(cards[2:]) == (None, 0)


def test_an_unknown_price_is_not_zero() -> None:
    free, paid, unknown = card(1), card(2, {"a": "yes"}), card(3, {"a": "yes"}, cost_usd=None)
    assert numbers.cost([free, paid, unknown]) == (0.01, 1)
    assert numbers.cost([unknown]) == (None, 1)
    assert numbers.cost([free]) == (None, 0)


def test_two_agents_of_one_name_and_calls_without_an_agent_are_groups_of_their_own() -> None:
    cards = [card(1), card(2, agent_id=102), card(3, agent="Omar", agent_id=5), card(4, agent=None, agent_id=None)]
    cards.append(card(5, agent=None, agent_id=77))
    groups = {name: [one.call_id for one in found] for name, found in numbers.by_agent(cards).items()}
    assert groups == {
        "Agent 77": [5],
        "Anna Petrova (101)": [1],
        "Anna Petrova (102)": [2],
        "No agent": [4],
        "Omar": [3],
    }


def test_fatal_calls_are_heard_first_then_others_with_a_no_then_the_most_undecided() -> None:
    cards = [
        card(1, {"a": "yes", "b": "yes"}),
        card(2, {"a": "yes", "b": "not_mentioned"}),
        card(3, {"a": "cannot_tell", "b": "not_mentioned"}),  # no score
        card(4, {"a": "yes", "b": "no"}),
        card(5, {"a": "no", "b": "no"}),
        card(6, {"a": "no", "b": "yes", "c": "not_mentioned"}),
        card(7, {"agreed": FATAL, "b": "yes", "c": "yes", "d": "yes"}),
        card(8, {"agreed": FATAL, "b": "no"}),
        card(9, {"unscored": verdict("unscored", "no", weight=0), "b": "yes"}),
    ]
    ordered = numbers.hearing_order(cards)
    assert [one.call_id for one in ordered] == [8, 7, 5, 6, 4, 9, 3, 2, 1]
    assert [one.call_id for one in numbers.heard_first(ordered)] == [8, 7, 5, 6, 4, 9, 3, 2]


def test_no_more_calls_are_heard_first_than_one_reviewer_hears_in_a_day() -> None:
    ordered = numbers.hearing_order([card(number, {"a": "no"}) for number in range(40)])
    assert [one.call_id for one in numbers.heard_first(ordered)] == list(range(25))


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), max_size=8))
def test_every_judged_call_has_its_place_and_each_tally_counts_all_verdicts(drawn: list[list[VerdictWord]]) -> None:
    cards: list[Scorecard] = [
        card(number, dict(zip("abcd", words, strict=False))) for number, words in enumerate(drawn)
    ]
    assert sorted(one.call_id for one in numbers.hearing_order(cards)) == [one.call_id for one in cards]
    tally = numbers.tally(numbers.verdicts_of(cards))
    assert tally.total == sum(map(len, drawn))
    assert sum(tally.percent(word) for word in WORDS) == pytest.approx(100 if tally.total else 0)
    assert tally.decided == sum(words.count("yes") + words.count("no") for words in drawn)
