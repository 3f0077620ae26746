"""Drawing: the same for the same seed, whatever the order of calls; even over the agents; small in memory."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.calls.sampling import StratifiedSample, new_seed
from liner_mcp.liner.models import Call

AGENTS = st.lists(st.sampled_from([None, 101, 102, 103, 104]), max_size=60)
SEEDS = st.one_of(st.integers(), st.text(max_size=10)).map(str)
SIZES = st.integers(1, 70)


def calls_of(agents: list[int | None]) -> list[Call]:
    return [Call(id=7_000_001 + place, user_id=agent) for place, agent in enumerate(agents)]


def sample(calls: list[Call], seed: str = "1", size: int = 10) -> list[int]:
    made = StratifiedSample(seed, size)
    made.add(calls)
    return [call.id for call in made.selected()]


@given(AGENTS, SEEDS, SIZES, st.data())
def test_the_order_and_the_pages_of_calls_do_not_matter(
    agents: list[int | None], seed: str, size: int, data: st.DataObject
) -> None:
    calls = calls_of(agents)
    shuffled = data.draw(st.permutations(calls))
    cut = data.draw(st.integers(0, len(calls)))
    pages = StratifiedSample(seed, size)
    pages.add(shuffled[:cut])
    pages.add(shuffled[cut:])
    assert [call.id for call in pages.selected()] == sample(calls, seed, size)


@given(AGENTS, SEEDS, SIZES)
def test_the_sample_is_as_large_as_asked_or_everything(agents: list[int | None], seed: str, size: int) -> None:
    calls = calls_of(agents)
    drawn = sample(calls, seed, size)
    assert len(drawn) == len(set(drawn)) == min(size, len(calls))
    assert set(drawn) <= {call.id for call in calls}


@given(AGENTS, SEEDS, SIZES)
def test_agents_differ_by_at_most_one_call_while_their_calls_last(
    agents: list[int | None], seed: str, size: int
) -> None:
    calls = {call.id: call for call in calls_of(agents)}
    drawn = Counter(calls[one].user_id for one in sample([*calls.values()], seed, size))
    has = Counter(agents)
    most = max(drawn.values(), default=0)
    for agent, count in has.items():
        assert drawn[agent] >= min(most - 1, count), "an agent with calls left was passed over"


@given(AGENTS, SEEDS, st.integers(1, 20))
def test_a_smaller_sample_is_the_beginning_of_a_larger_one(agents: list[int | None], seed: str, size: int) -> None:
    calls = calls_of(agents)
    assert sample(calls, seed, size) == sample(calls, seed, size + 5)[:size]


@given(AGENTS, SEEDS, SIZES)
def test_only_so_many_calls_per_agent_are_held_as_could_be_sampled(
    agents: list[int | None], seed: str, size: int
) -> None:
    made: Any = StratifiedSample(seed, size)
    made.add(calls_of(agents))
    assert made.population == len(agents)
    assert all(len(candidates) <= size for candidates in made._candidates.values())


def test_the_sample_of_a_seed_never_changes() -> None:
    """A seed in yesterday's report must draw the same calls tomorrow, on any machine and with any release."""
    assert [one - 7_000_001 for one in sample(calls_of([101] * 5 + [102] * 5 + [None] * 5), "1", 7)] == DRAWN


DRAWN = [11, 4, 5, 14, 2, 7, 10]


def test_rounds_go_over_the_agents_in_one_order_and_skip_who_has_no_more() -> None:
    agents = {call.id: call.user_id for call in calls_of([101] * 4 + [102] * 2 + [None])}
    drawn = [agents[one] for one in sample(calls_of([101] * 4 + [102] * 2 + [None]), "x", 7)]
    assert set(drawn[:3]) == {101, 102, None}
    assert drawn[3:5] == [agent for agent in drawn[:3] if agent is not None]
    assert drawn[5:] == [101, 101]


def test_a_call_without_an_agent_belongs_to_a_group_of_its_own() -> None:
    calls = calls_of([None] * 50 + [101])
    assert 7_000_051 in sample(calls, "any", 2)


def test_different_seeds_draw_differently_and_every_call_has_its_chance() -> None:
    calls = calls_of([101, 102] * 20)
    draws = [sample(calls, str(seed), 2) for seed in range(300)]
    assert len({tuple(drawn) for drawn in draws}) > 200
    assert {one for drawn in draws for one in drawn} == {call.id for call in calls}


def test_which_agent_comes_first_depends_on_the_seed() -> None:
    """Otherwise a sample smaller than the team would always be of the same people."""
    calls = calls_of([101, 102, 103])
    assert {sample(calls, str(seed), 1)[0] for seed in range(30)} == {call.id for call in calls}


def test_calls_of_one_agent_are_not_drawn_by_their_ids() -> None:
    drawn = sample(calls_of([101] * 100), "1", 20)
    assert any(later < earlier for earlier, later in pairwise(drawn))
    assert max(drawn) - min(drawn) > 50


def test_nothing_gives_nothing() -> None:
    made = StratifiedSample("1", 5)
    made.add([])
    assert (made.selected(), made.population) == ([], 0)


@pytest.mark.parametrize("kind", ["agent", "call"])
def test_hash_ranks_of_a_call_and_of_an_agent_with_one_id_differ(kind: str) -> None:
    made: Any = StratifiedSample("1", 5)
    assert made._hash_rank(kind, 5) != made._hash_rank({"agent": "call", "call": "agent"}[kind], 5)


def test_seeds_that_no_one_gave_differ_and_are_easy_to_repeat() -> None:
    seeds = {new_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert all(len(seed) <= 10 and seed.isalnum() for seed in seeds)
