"""The tokens of each tool's answers: 1, 10 and 100 rows, in English and in Russian, beside those of the bare SDK.

Answers have default settings. Names, window and cursor count, and so do further pages if one page is not enough for a
hundred rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from benchmarks.contestants import OURS, PASSING
from benchmarks.raw_reading import BARE, RawLiner
from benchmarks.reading import Reader
from benchmarks.sizes import texts_of
from benchmarks.table_reading import Tables
from liner_mcp.demo import Agent, Dataset, DemoLiner
from tests.conftest import NOW

ROWS = (1, 10, 100)
DAILY_ORDER = 201
AGENTS = 14


class Language(NamedTuple):
    name: str
    russian: bool
    order: int
    """An order with a name in that language."""


LANGUAGES = (Language("English", False, 204), Language("Russian", True, 202))


@dataclass(frozen=True, slots=True)
class Price:
    """Tokens for each number in ROWS; only the first for a tool for one thing. `bare`: those of the bare SDK."""

    tool: str
    language: str
    tokens: list[int]
    bare: list[int]


async def prices() -> list[Price]:
    return [price for language in LANGUAGES for price in await _prices_in(language)]


@dataclass(frozen=True, slots=True)
class _Shop:
    """A dataset in one language with exactly this number of everything."""

    language: Language
    dataset: Dataset
    call_with: dict[int, int]
    """For each number in ROWS, a call with so many records."""
    calls: list[int]
    """A hundred calls of one day with one record each."""

    @property
    def window(self) -> tuple[Any, Any]:
        """The day of `calls`."""
        return NOW - timedelta(days=10), NOW - timedelta(days=9)


async def _prices_in(language: Language) -> list[Price]:
    shop = _shop(language)
    found: list[Price] = []
    for tool, (ours, bare) in _GOODS.items():
        price = Price(tool, language.name, [], [])
        for sizes in _sessions(tool):
            shop.dataset.users = _people(language, sizes[0] if tool == "list_directory" else AGENTS)
            liner = DemoLiner(shop.dataset)
            async with OURS.opened(liner, 0) as client, PASSING.opened(liner, 0) as plain:
                for rows in sizes:
                    mine, theirs = Reader(client), Reader(plain)
                    await ours(shop, Tables(mine), rows)
                    await bare(shop, RawLiner(theirs, BARE), rows)
                    price.tokens.append(mine.read)
                    price.bare.append(theirs.read)
        found.append(price)
    return found


def _sessions(tool: str) -> list[tuple[int, ...]]:
    """The rows, each from a new session, because agents are cached per session."""
    if tool == "list_directory":
        return [(rows,) for rows in ROWS]
    return [ROWS[:1] if tool == "get_call_record" else ROWS]


def _shop(language: Language) -> _Shop:
    texts = texts_of(Dataset.generate(now=NOW), russian=language.russian)
    dataset = Dataset.generate(now=NOW, days=1, calls=1)
    order = next(order for order in dataset.orders if order.id == language.order)
    agents = order.agent_user_ids
    call_with: dict[int, int] = {}
    for rows in ROWS:
        call = dataset.add_call(order=order, created_at=NOW - timedelta(days=30), talk_time_duration_seconds=600)
        call_with[rows] = call.id
        for number in range(rows):
            dataset.add_record(
                call.id,
                summary=texts[number],
                created_at=call.created_at + timedelta(minutes=number),
                duration_seconds=30 + 3 * number,
                user_id=agents[number % len(agents)],
            )
    calls: list[int] = []
    statuses = [status.code for status in dataset.call_statuses]
    for number in range(max(ROWS)):
        _ordinary_day(dataset, number)
        call = dataset.add_call(
            order=order,
            agent=agents[number % len(agents)],
            created_at=NOW - timedelta(days=10) + timedelta(minutes=5 * number),
            talk_time_duration_seconds=30 + 3 * number,
            status_code=statuses[number % len(statuses)],
        )
        dataset.add_record(call.id, summary=texts[number])
        calls.append(call.id)
    return _Shop(language, dataset, call_with, calls)


def _ordinary_day(dataset: Dataset, ago: int) -> None:
    """Add six to sixteen calls of all kinds to one day, so that no column of a table has one value in all rows."""
    statuses = [status.code for status in dataset.call_statuses]
    for number in range(6 + ago * 7 % 11):
        talk = (ago * 31 + number * 53) % 300 if (ago + number) % 3 else 0
        dataset.add_call(
            order=DAILY_ORDER,
            created_at=NOW - timedelta(days=ago, minutes=number),
            talk_time_duration_seconds=talk,
            wait_time_duration_seconds=3 + (ago * 5 + number) % 17,
            finish_initiator="operator" if number % 2 else "client",
            status_code=statuses[(ago + number) % len(statuses)],
            has_records=talk > 60,
        )


def _people(language: Language, count: int) -> tuple[Agent, ...]:
    """This number of agents, with new combinations of first and last names."""
    users = Dataset.generate(now=NOW, days=1, calls=1).agents
    known = [user for user in users if user.full_name.isascii() is not language.russian]
    made: list[Agent] = []
    for number in range(count):
        first, last = known[number % len(known)], known[number // len(known) % len(known)]
        made.append(replace(users[0], id=101 + number, name=first.name, last_name=last.last_name))
    return tuple(made)


async def _find_calls(shop: _Shop, liner: Tables, rows: int) -> None:
    since, until = (moment.isoformat() for moment in shop.window)
    answer = await liner.answer("find_calls", since=since, until=until, orders=[shop.language.order], limit=rows)
    assert len(answer["rows"]) == rows


async def _list_calls(shop: _Shop, liner: RawLiner, rows: int) -> None:
    since, until = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in shop.window)
    asked = {"created_from": since, "created_to": until, "order_ids": [shop.language.order], "limit": rows}
    await liner.reader.ask("list_calls", **asked)


async def _call_stats(_: _Shop, liner: Tables, rows: int) -> None:
    since = (NOW - timedelta(days=rows - 1)).date().isoformat()
    await liner.rows("call_stats", since=since, orders=[DAILY_ORDER], group_by=["day"])


async def _calls_of_days(_: _Shop, liner: RawLiner, rows: int) -> None:
    """Medians are calculated from the calls, because Liner has no request for them."""
    await liner.calls((NOW - timedelta(days=rows - 1, hours=1), NOW), order_ids=[DAILY_ORDER])


async def _list_records(shop: _Shop, liner: Tables, rows: int) -> None:
    await liner.rows("list_call_records", call_id=shop.call_with[rows], limit=rows)


async def _raw_records(shop: _Shop, liner: RawLiner, rows: int) -> None:
    await liner.records(shop.call_with[rows])


def _summaries(chars: int) -> Callable[[_Shop, Tables, int], Awaitable[None]]:
    async def ask(shop: _Shop, liner: Tables, rows: int) -> None:
        await liner.rows("get_call_summaries", call_ids=shop.calls[-rows:], summary_chars=chars)

    return ask


async def _raw_summaries(shop: _Shop, liner: RawLiner, rows: int) -> None:
    for call_id in shop.calls[-rows:]:
        await liner.records(call_id)


async def _record(shop: _Shop, liner: Tables, _: int) -> None:
    await liner.answer("get_call_record", record_id=shop.dataset.records_of(shop.calls[-1])[0].id)


async def _raw_record(shop: _Shop, liner: RawLiner, _: int) -> None:
    await liner.record(shop.dataset.records_of(shop.calls[-1])[0].id)


async def _directory(_: _Shop, liner: Tables, __: int) -> None:
    await liner.rows("list_directory", kind="agents")


async def _users(_: _Shop, liner: RawLiner, __: int) -> None:
    await liner.users()


_GOODS: dict[
    str, tuple[Callable[[_Shop, Tables, int], Awaitable[None]], Callable[[_Shop, RawLiner, int], Awaitable[None]]]
] = {
    "find_calls": (_find_calls, _list_calls),
    "call_stats": (_call_stats, _calls_of_days),
    "list_call_records": (_list_records, _raw_records),
    "get_call_summaries, summary_chars=0": (_summaries(0), _raw_summaries),
    "get_call_summaries, summary_chars=160": (_summaries(160), _raw_summaries),
    "get_call_summaries": (_summaries(600), _raw_summaries),
    "get_call_record": (_record, _raw_record),
    "list_directory": (_directory, _users),
}
