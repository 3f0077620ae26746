"""Random questions over all tools, drawn by a seed. A question that several lists can be asked for is followed on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from liner_mcp.demo import Dataset
from tests.claims import meaning
from tests.claims.changes import plain_summary
from tests.claims.truth import key_column
from tests.conftest import NOW

SINCE = (
    "today", "yesterday", "this_week", "last_week", "this_month", "2026-11", "-24h", "-90m", "-3d", "-1w",
    "last_month", "-7d", "2026-11-18", "2026-11-20", "2026-11-19T10:00:00+03:00", "2026-11-18T00:00:00",
    "2026-11-17T21:00:00Z",
)  # fmt: skip
UNTIL = ("today", "yesterday", "-2h", "2026-11-19", "2026-11-20T12:30:00+03:00", "2026-11-20T09:00:00")
HOURS = ("9-18", "18-24", "22-6", "0-12", "13-14")
GROUPINGS = ("agent", "order", "status", "lead", "day", "hour", "weekday", "hung_up_by")
COLUMNS = ("lead_id", "direction", "hung_up_by", "wait_seconds", "phone", "records", "summary")
COUNTS = ("records", "transfers", "without_summary", "share")
SORTS = (
    "calls", "answered", "recorded", "talk_total_seconds", "talk_median_seconds", "wait_median_seconds",
    "agent_hangups", "qualified",
)  # fmt: skip
ABSENT = ("обещали скидку на паркинг", "клиент не просит показать", "купил", "…", "?!")
KINDS = ("orders", "agents", "agent_groups", "call_statuses", "lead_statuses")
QUERIES = ("а", "park", "Смирнова", "north", "qualified", "первая", "101", "201", "линия", "zzz")
UNKNOWN_ID, UNKNOWN_RECORD_ID = 7_999_999, 9_999_999


@dataclass(frozen=True, slots=True)
class Question:
    """A tool and its arguments."""

    tool: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.tool} {json.dumps(dict(self.arguments), ensure_ascii=False, sort_keys=True)}"

    def without(self, name: str) -> Question:
        return Question(self.tool, {key: value for key, value in self.arguments.items() if key != name})


class Questions:
    """Draws questions about one dataset; the same seed draws the same."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - chance, not a secret
        self._calls = sorted(dataset.calls)
        self._records = sorted(dataset.records)
        self._dataset = dataset
        week = NOW - timedelta(days=6)
        self._leads = sorted({call.lead_id for call in dataset.calls.values() if call.created_at > week})
        self._busy = max(dataset.calls, key=lambda call_id: len(dataset.records_of(call_id)))

    def draw(self) -> Question:
        kinds: list[tuple[int, Callable[[], Question]]] = [
            (8, self._find_calls),
            (4, self._sample),
            (7, self._call_stats),
            (3, self._list_call_records),
            (4, self._get_call_summaries),
            (2, self._get_call_record),
            (3, self._check_quotes),
            (3, self._list_directory),
        ]
        (make,) = self._random.choices([make for _, make in kinds], [weight for weight, _ in kinds])
        return make()

    def draw_many(self, count: int) -> list[Question]:
        return [self.draw() for _ in range(count)]

    # Of calls

    def _find_calls(self) -> Question:
        arguments = self._filters()
        arguments |= self._columns(0.4)
        if self._chance(0.7):
            arguments["limit"] = self._random.choice((1, 7, 30, 100, 200))
        if self._chance(0.2):
            arguments["sort"] = self._random.choice(("longest_talk", "longest_talk", "longest_talk", "newest"))
        return Question("find_calls", arguments)

    def _sample(self) -> Question:
        seed = str(self._random.randrange(100))
        drawn = {"sample": self._random.choice((1, 5, 20, 100)), "seed": seed}
        return Question("find_calls", {**self._filters(), **self._columns(0.2), **drawn})

    def _columns(self, share: float) -> dict[str, Any]:
        if not self._chance(share):
            return {}
        found = self._some(COLUMNS, 3)
        return {"include": found, **(self._summary_chars() if "summary" in found else {})}

    def _call_stats(self) -> Question:
        arguments = self._filters()
        if self._chance(0.85):
            arguments["group_by"] = self._some(GROUPINGS, 2) if self._chance(0.9) else []
        if self._chance(0.25):
            counts = (*COUNTS, "matches") if "mentions" in arguments else COUNTS
            arguments["include"] = self._some(counts, 2)
        if self._chance(0.3):
            keys = [key_column(name) for name in arguments.get("group_by", ["agent"])]
            arguments["sort"] = self._random.choice((*SORTS, *keys, *arguments.get("include", ())))
        if self._chance(0.2):
            arguments["limit"] = self._random.choice((1, 3, 10))
        if self._chance(0.15):
            arguments["min_calls"] = self._random.choice((2, 5, 20))
        return Question("call_stats", arguments)

    def _filters(self) -> dict[str, Any]:
        pick = self._random.choice
        found: dict[str, Any] = {}
        if self._chance(0.25):
            found["leads"] = self._some(self._leads, 4)
        if self._chance(0.5 if "leads" in found else 0.85):
            found["since"] = pick(SINCE)
        if self._chance(0.15) and found.get("since") in (None, "this_month", "-1w", "last_week"):
            found["until"] = pick(UNTIL)
        if self._chance(0.3):
            found["orders"] = self._some((*list(meaning.ORDERS)[:6], 201, 203, 206, 999), 3)
        if self._chance(0.3):
            found["agents"] = self._some((*meaning.AGENTS, *meaning.GROUPS, 101, 104, 999), 3)
        if self._chance(0.2):
            found["statuses"] = self._some((*meaning.STATUSES, 51, 53), 3)
        if self._chance(0.03):
            found[pick(("agents", "orders"))] = [pick((*meaning.UNKNOWN, *meaning.AMBIGUOUS))]
        self._add_own_filters(found)
        return found

    def _add_own_filters(self, found: dict[str, Any]) -> None:
        """The filters that Liner does not have."""
        pick = self._random.choice
        if self._chance(0.12):
            found["direction"] = pick(("incoming", "outgoing"))
        if self._chance(0.12):
            found["min_talk_seconds"] = pick((1, 30, 120))
        if self._chance(0.12):
            found["max_talk_seconds"] = max(pick((0, 120, 300)), found.get("min_talk_seconds", 0))
        if self._chance(0.18):
            found["recorded"] = pick((True, False))
        if self._chance(0.25):
            found["transferred"] = pick((True, False))
        if self._chance(0.1):
            found["has_summary"] = pick((True, False))
        if self._chance(0.2):
            found["mentions"] = pick(list(meaning.MENTIONS))
        if self._chance(0.1):
            found["hung_up_by"] = pick(("client", "operator", "system"))
        if self._chance(0.12):
            found["hours"] = pick(HOURS)

    # Of records and names

    def _list_call_records(self) -> Question:
        arguments: dict[str, Any] = {"call_id": self._busy if self._chance(0.15) else self._call_id()}
        if self._chance(0.5):
            arguments["limit"] = self._random.choice((1, 2, 40, 100))
        return Question("list_call_records", {**arguments, **self._summary_chars()})

    def _get_call_summaries(self) -> Question:
        ids = [self._call_id() for _ in range(self._random.choice((1, 2, 5, 20)))]
        return Question("get_call_summaries", {"call_ids": ids, **self._summary_chars()})

    def _get_call_record(self) -> Question:
        start = {"start": self._random.choice((1, 40))} if self._chance(0.2) else {}
        return Question("get_call_record", {"record_id": self._record_id(), **start})

    def _check_quotes(self) -> Question:
        quotes: list[dict[str, Any]] = []
        for _ in range(self._random.choice((1, 3, 8, 20))):
            record_id = self._record_id()
            quotes.append({"record_id": record_id, "quote": self._quote(record_id)})
        return Question("check_quotes", {"quotes": quotes})

    def _quote(self, record_id: int) -> str:
        """Words of a summary, mostly of this record's: as they are, in other letters, with others, or with some left
        out.
        """
        pick = self._random.choice
        if self._chance(0.15):
            return pick(ABSENT)
        of = record_id if self._chance(0.85) else self._random.choice(self._records)
        words = plain_summary(of).split()
        first = self._random.randrange(len(words) - 3)
        chosen = words[first : first + self._random.randint(2, 9)]
        changes: list[Callable[[], str]] = [
            lambda: " ".join(chosen),
            lambda: " ".join(chosen),
            lambda: " ".join(chosen).upper().replace("Ё", "Е"),
            lambda: " ".join([*chosen[:-1], "участок"]),
            lambda: f"{chosen[0]} … {chosen[-1]}",
        ]
        return pick(changes)()

    def _list_directory(self) -> Question:
        arguments = {"kind": self._random.choice(KINDS)}
        if self._chance(0.5):
            arguments["query"] = self._random.choice(QUERIES)
        return Question("list_directory", arguments)

    def _record_id(self) -> int:
        return UNKNOWN_RECORD_ID if self._chance(0.1) else self._random.choice(self._records)

    def _call_id(self) -> int:
        return UNKNOWN_ID if self._chance(0.05) else self._random.choice(self._calls)

    def _summary_chars(self) -> dict[str, int]:
        return {"summary_chars": self._random.choice((0, 20, 4_000))} if self._chance(0.4) else {}

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, choices: Sequence[Any], most: int) -> list[Any]:
        return self._random.sample(list(choices), self._random.randint(1, most))
