"""What a question means: which calls of the true data it is about. Nothing here comes from the package.

Names come from a short vocabulary instead of a matcher, so a question uses no other name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from liner_mcp.demo import Call, Dataset
from tests.conftest import NOW

ZONE = ZoneInfo("Europe/Moscow")
DAY = timedelta(days=1)
DEFAULT_SPAN = timedelta(days=7)

AGENTS: Mapping[str, tuple[int | None, ...]] = {
    "no agent": (None,),
    "Anna Petrova": (101,),
    "игорь соколов": (104,),
    "Кузнецова": (105,),
    "Omar": (106,),
    "Елена Волкова": (107,),
    "Орлов Дмитрий": (108,),
    "Sofia Marin": (109,),
    "ольга": (111,),
    "Timur Aliev": (112,),
    "Kirill Danilov": (114,),
    "Первая линия": (101, 102, 104, 105, 107),
    "Premium and Dubai": (106, 109, 110, 112, 114),
    "вечерняя": (103, 108, 111, 113),
}
GROUPS = ("Первая линия", "Premium and Dubai", "вечерняя")
ORDERS: Mapping[str, tuple[int, ...]] = {
    "Sunrise Park": (201,),
    "severny-bereg": (202,),
    "ЖК Северная Гавань": (203,),
    "marina heights": (204,),
    "Лесной квартал": (205,),
    "Riverside": (206,),
    "New Town": (207,),
}
STATUSES: Mapping[str, str] = {
    "qualified": "qualified",
    "Недозвон": "no_answer",
    "call_back": "call_back",
    "Разговор завершён": "conversation_completed",
    "переведен в отдел продаж": "transferred_to_sales",
    "Автоответчик": "answering_machine",
    "54": "client_hung_up",
    "52": "disqualified",
    "sales_queue_overflow": "sales_queue_overflow",
}
# What is looked for: patterns of the forms that a summary has to hold, each of them, and of those it must not.
MENTIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "этажами": (("этаж(?:а|у|ом|е|и|ей|ам|ами|ах)?",), ""),
    "лифт | гаражи": (("лифт(?:а|у|ом|е|ы|ов|ам|ами|ах)?|гараж(?:а|у|ом|е|и|ей|ам|ами|ах)?",), ""),
    "садом окна": (("сад(?:а|у|ом|е|ы|ов|ам|ами|ах)?", "окн(?:о|а|у|ом|е|ам|ами|ах)|окон"), ""),
    '"идти о покупках"': (("идёт о покупке",), ""),
    "сад -лифта": (("сад(?:а|у|ом|е|ы|ов|ам|ами|ах)?",), "лифт(?:а|у|ом|е|ы|ов|ам|ами|ах)?"),
    "-лифтом": ((), "лифт(?:а|у|ом|е|ы|ов|ам|ами|ах)?"),
    "рынок двор -балконы": (
        ("рын(?:ок|ка|ку|ком|ке|ки|ков|кам|ками|ках)", "двор(?:а|у|ом|е|ы|ов|ам|ами|ах)?"),
        "балкон(?:а|у|ом|е|ы|ов|ам|ами|ах)?",
    ),
    '-"показать сад" парк': (("парк(?:а|у|ом|е|и|ов|ам|ами|ах)?",), "показать сад"),
}
_Id = TypeVar("_Id", bound=int | None)
AMBIGUOUS = {"Анна Смирнова": (102, 103)}
UNKNOWN = ("Nora Nowhere", "Проект Марс")


@dataclass(frozen=True, slots=True)
class Meaning:
    """The calls that a question is about. None does not narrow.

    `refusable`: a name is unknown or ambiguous, or no time is meant.
    """

    since: datetime
    until: datetime
    orders: frozenset[int] | None = None
    leads: frozenset[int] | None = None
    agents: frozenset[int | None] | None = None
    codes: frozenset[str] | None = None
    direction: str | None = None
    min_talk: int | None = None
    max_talk: int | None = None
    recorded: bool | None = None
    transferred: bool | None = None
    has_summary: bool | None = None
    mentions: str | None = None
    hung_up_by: str | None = None
    hours: str | None = None
    refusable: bool = False

    def fits(self, call: Call, dataset: Dataset) -> bool:
        """Whether a call is meant."""
        talk = call.talk_time_duration_seconds
        return all(
            (
                self.since <= call.created_at < self.until,
                self.orders is None or call.order_id in self.orders,
                self.leads is None or call.lead_id in self.leads,
                self.agents is None or call.user_id in self.agents,
                self.codes is None or call.status_code in self.codes,
                self.direction is None or call.direction == self.direction,
                self.min_talk is None or talk >= self.min_talk,
                self.max_talk is None or talk <= self.max_talk,
                self.recorded is None or call.has_records is self.recorded,
                self.hung_up_by is None or call.finish_initiator == self.hung_up_by,
                self.hours is None or _in_hours(call, self.hours),
                self.transferred is None or _transferred(call, dataset) is self.transferred,
                self.has_summary is None or _has_summary(call, dataset, self.has_summary),
                self.mentions is None or mentioned(self.mentions, call, dataset),
            )
        )

    def calls(self, dataset: Dataset) -> dict[int, Call]:
        return {call.id: call for call in dataset.calls.values() if self.fits(call, dataset)}


def _in_hours(call: Call, hours: str) -> bool:
    first, last = map(int, hours.split("-"))
    hour = call.created_at.astimezone(ZONE).hour
    return first <= hour < last if first < last else hour >= first or hour < last


def _transferred(call: Call, dataset: Dataset) -> bool:
    return call.has_records and any(record.is_transfer for record in dataset.records_of(call.id))


def _has_summary(call: Call, dataset: Dataset, wanted: bool) -> bool:
    records = dataset.records_of(call.id)
    return bool(records) and all(says(record.summary) for record in records) is wanted


def says(summary: str | None) -> bool:
    return bool(summary and summary.strip())


def holds(pattern: str, summary: str | None) -> bool:
    return bool(re.search(rf"\b(?:{pattern})\b", " ".join((summary or "").split()), re.IGNORECASE))


def matches(query: str, summary: str | None) -> bool:
    """Whether a summary has all that is wanted and nothing that is not."""
    wanted, unwanted = MENTIONS[query]
    if not says(summary) or (unwanted and holds(unwanted, summary)):
        return False
    return all(holds(pattern, summary) for pattern in wanted)


def mentioned(query: str, call: Call, dataset: Dataset) -> bool:
    """Whether one summary of a call has all that is wanted, and none has what is not."""
    wanted, unwanted = MENTIONS[query]
    summaries = [record.summary for record in dataset.records_of(call.id) if says(record.summary)]
    if unwanted and any(holds(unwanted, one) for one in summaries):
        return False
    return any(all(holds(pattern, one) for pattern in wanted) for one in summaries)


def meaning_of(arguments: Mapping[str, Any], dataset: Dataset) -> Meaning:
    """The meaning of the arguments of `find_calls` or `call_stats`."""
    orders, known_orders = _ids(arguments.get("orders", ()), ORDERS)
    agents, known_agents = _ids(arguments.get("agents", ()), AGENTS)
    codes, known_codes = _codes(arguments.get("statuses", ()), dataset)
    leads = frozenset[int](arguments.get("leads", ())) or None
    since, until = _window(arguments, leads, dataset)
    sampled_recorded = True if "sample" in arguments else None
    return Meaning(
        since=since,
        until=until,
        orders=orders,
        leads=leads,
        agents=agents,
        codes=codes,
        direction=arguments.get("direction"),
        min_talk=arguments.get("min_talk_seconds"),
        max_talk=arguments.get("max_talk_seconds"),
        recorded=arguments.get("recorded", sampled_recorded),
        transferred=arguments.get("transferred"),
        has_summary=arguments.get("has_summary"),
        mentions=arguments.get("mentions"),
        hung_up_by=arguments.get("hung_up_by"),
        hours=arguments.get("hours"),
        refusable=since >= until or not (known_orders and known_agents and known_codes),
    )


def _ids(asked: Sequence[int | str], names: Mapping[str, tuple[_Id, ...]]) -> tuple[frozenset[_Id] | None, bool]:
    """The ids, and whether each name is one of ours and unambiguous."""
    found: set[Any] = set()
    known = True
    for one in asked:
        if isinstance(one, int):
            found.add(one)
        else:
            known = known and one in names
            found |= set(names.get(one, AMBIGUOUS.get(one, ())))
    return (frozenset(found) if asked else None), known


def _codes(asked: Sequence[int | str], dataset: Dataset) -> tuple[frozenset[str] | None, bool]:
    by_id = {str(status.id): status.code for status in dataset.call_statuses}
    names = {**by_id, **STATUSES}
    known = all(str(one) in names for one in asked)
    found = frozenset(names[str(one)] for one in asked if str(one) in names)
    return (found if asked else None), known


# Times ----------------------------------------------------------------------------------------------------------------


def _window(arguments: Mapping[str, Any], leads: frozenset[int] | None, dataset: Dataset) -> tuple[datetime, datetime]:
    since, until = arguments.get("since"), arguments.get("until")
    end = NOW if until is None else min(_period(until)[1], NOW)
    if since is not None:
        start, finish = _period(since)
        named_alone = until is None and finish > start and not _is_day(since)
        return start, min(finish, NOW) if named_alone else end
    if leads is not None:
        created = [dataset.leads[lead].created_at for lead in leads if lead in dataset.leads]
        return min(created, default=NOW) - DAY, end
    return end - DEFAULT_SPAN, end


def _is_day(text: str) -> bool:
    return text[:4].isdigit() and len(text) == len("2026-11-20")


def _period(text: str) -> tuple[datetime, datetime]:
    """What one time expression covers; a moment covers nothing."""
    if text[0] == "-":
        units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        moment = NOW - timedelta(**{units[text[-1]]: int(text[1:-1])})
        return moment, moment
    if "T" in text:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=ZONE) if moment.tzinfo is None else moment
        return moment.astimezone(UTC), moment.astimezone(UTC)
    first, last = _days(text, NOW.astimezone(ZONE).date())
    return _midnight(first), _midnight(last)


def _days(text: str, today: date) -> tuple[date, date]:
    monday, month = today - today.weekday() * DAY, today.replace(day=1)
    named = {
        "today": (today, today + DAY),
        "yesterday": (today - DAY, today),
        "this_week": (monday, monday + 7 * DAY),
        "last_week": (monday - 7 * DAY, monday),
        "this_month": (month, (month + 31 * DAY).replace(day=1)),
        "last_month": ((month - DAY).replace(day=1), month),
    }
    if text in named:
        return named[text]
    if len(text) == len("2026-11"):
        first = date.fromisoformat(f"{text}-01")
        return first, (first + 31 * DAY).replace(day=1)
    day = date.fromisoformat(text)
    return day, day + DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)
