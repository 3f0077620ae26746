"""Which calls are reviewed, from a fake Liner through our own server in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from liner_mcp.demo import Dataset
from liner_mcp.errors import SetupError, UsageError
from liner_mcp.review.selection import label_of, parse_period
from liner_mcp.timezone import Zone
from tests.fakes import FakeLiner
from tests.fakes.faults import Fault, Refused
from tests.review.support import SUMMARY, select, selected

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MOSCOW = Zone.resolve("Europe/Moscow")
TALK = NOW.replace(hour=9)


def empty() -> Dataset:
    return Dataset.generate(now=NOW, days=1, calls=0)


# The period -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "since", "until", "label"),
    [
        ("yesterday", "2026-11-18T21:00", "2026-11-19T21:00", "2026-11-19"),
        ("today", "2026-11-19T21:00", "2026-11-20T15:00", "2026-11-20"),
        ("last_week", "2026-11-08T21:00", "2026-11-15T21:00", "2026-11-09_2026-11-15"),
        ("2026-11-02", "2026-11-01T21:00", "2026-11-02T21:00", "2026-11-02"),
        ("2026-10", "2026-09-30T21:00", "2026-10-31T21:00", "2026-10-01_2026-10-31"),
        ("2026-11-02..2026-11-04", "2026-11-01T21:00", "2026-11-04T21:00", "2026-11-02_2026-11-04"),
    ],
)
async def test_a_period_is_read_in_the_zone_of_the_answers(text: str, since: str, until: str, label: str) -> None:
    window = parse_period(text, MOSCOW, NOW)
    assert (f"{window.since:%Y-%m-%dT%H:%M}", f"{window.until:%Y-%m-%dT%H:%M}") == (since, until)
    assert label_of(window, MOSCOW) == label


@pytest.mark.parametrize(
    "text", ["", "2999-01-01", "someday", "2026-11-02..", "..2026-11-02", "2026-11-04..2026-11-02"]
)
async def test_a_period_that_means_nothing_is_refused_with_the_name_of_its_option(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--period: "):
        parse_period(text, MOSCOW, NOW)


# The calls ------------------------------------------------------------------------------------------------------------


async def test_each_call_is_one_card_whatever_recordings_it_has() -> None:
    dataset = empty()
    three = dataset.add_call(created_at=TALK, status_code="call_back")
    for number in range(3):
        dataset.add_record(three.id, summary=None if number == 2 else f"{number}. {SUMMARY}", is_transfer=number == 1)
    silent = dataset.add_call(created_at=TALK, agent=None)
    unsummarised = dataset.add_call(created_at=TALK)
    dataset.add_record(unsummarised.id, summary=None)
    unlisted = dataset.add_call(created_at=TALK, has_records=True)
    liner = FakeLiner(dataset)
    selection = await select(liner, NOW)
    assert (selection.gaps, len(selection.calls)) == ([], 4)
    cards = {call.call_id: call.card(call.state or "judged", call.reason) for call in selection.calls}
    assert {call_id: card.state for call_id, card in cards.items()} == {
        three.id: "judged",
        silent.id: "no_recording",
        unsummarised.id: "no_summary",
        unlisted.id: "not_judged",
    }
    assert cards[unlisted.id].reason == "Liner does not list its recordings yet."
    card = cards[three.id]
    assert [one.summary for one in card.recordings] == [f"0. {SUMMARY}", f"1. {SUMMARY}", None]
    assert [one.transfer for one in card.recordings] == [False, True, False]
    assert (card.date, card.time, card.timezone) == ("2026-11-20", "12:00", "Europe/Moscow")
    assert (card.order, card.status) == (dataset.orders[0].title, "Перезвонить")
    assert cards[silent.id].agent == "no agent"
    # Of a call without recordings nothing more is requested.
    assert liner.count(f"callId={silent.id}") == 0


async def test_summaries_are_whole_however_long() -> None:
    dataset = empty()
    long = " ".join(f"Предложение {number}." for number in range(3_000))
    call = dataset.add_call(created_at=TALK)
    record = dataset.add_record(call.id, summary=long)
    selection = await select(FakeLiner(dataset), NOW)
    assert selection.calls[0].summaries == {record.id: long}


@pytest.mark.parametrize("show_phones", [True, False])
async def test_phones_are_masked_even_where_the_operator_sees_them(*, show_phones: bool) -> None:
    dataset = empty()
    dataset.add_record(dataset.add_call(created_at=TALK).id, summary="Телефон +7 916 123-45-67, почта anna@mail.ru.")
    selection = await select(FakeLiner(dataset), NOW, settings={"show_phones": show_phones})
    (text,) = selection.calls[0].summaries.values()
    assert "123" not in text
    assert "anna@" not in text


async def test_filters_and_samples_are_those_of_the_tools() -> None:
    dataset = empty()
    for number in range(30):
        call = dataset.add_call(created_at=TALK, order=dataset.orders[number % 2])
        dataset.add_record(call.id, summary=SUMMARY, is_transfer=number % 3 == 0)
    liner = FakeLiner(dataset)
    assert len((await select(liner, NOW, transferred=True)).calls) == 10
    assert len((await select(liner, NOW, orders=[dataset.orders[0].title])).calls) == 15
    drawn = await select(liner, NOW, sample=5, seed="a")
    assert len(drawn.calls) == 5
    assert [one.call_id for one in (await select(liner, NOW, sample=5, seed="a")).calls] == [
        one.call_id for one in drawn.calls
    ]
    with pytest.raises(SetupError, match="orders: "):
        await select(liner, NOW, orders=["Nowhere Park"])


async def test_many_calls_are_read_page_by_page() -> None:
    dataset = empty()
    for _ in range(450):
        dataset.add_record(dataset.add_call(created_at=TALK).id, summary=SUMMARY)
    selection = await select(FakeLiner(dataset), NOW)
    assert len({call.call_id for call in selection.calls}) == 450
    assert all(call.state is None for call in selection.calls)


async def test_calls_that_cannot_be_read_or_decided_are_said() -> None:
    dataset = empty()
    calls = [dataset.add_call(created_at=TALK) for _ in range(3)]
    for call in calls:
        dataset.add_record(call.id, summary=SUMMARY, is_transfer=True)
    lost = calls[1].id
    fault = Fault(Refused("Нет."), f"callId={lost}\\b")
    selection = await select(FakeLiner(dataset, faults=[fault]), NOW)
    states: dict[int, Any] = {call.call_id: (call.state, call.reason) for call in selection.calls}
    assert states[lost] == ("not_judged", "A summary could not be read from Liner.")
    assert [state for call_id, state in states.items() if call_id != lost] == [(None, None)] * 2

    selection = await select(FakeLiner(dataset, faults=[fault]), NOW, transferred=True)
    assert {call.call_id for call in selection.calls} == {calls[0].id, calls[2].id}
    assert selection.gaps == ["Recordings could not be read or are not listed, so 1 call could not be decided."]


async def test_the_hash_of_a_call_follows_its_texts() -> None:
    one, same, other = selected(SUMMARY), selected(SUMMARY), selected(f"{SUMMARY} Ещё.")
    assert one.summary_hash == same.summary_hash != other.summary_hash
    assert replace(one, recordings=()).summary_hash is None
