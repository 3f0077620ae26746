"""How a careful model works with a tool per endpoint: it reads all pages, joins names, filters and counts by itself.

Both contestants of that kind use this script; they differ in the names of arguments and in the envelope. The script
makes no mistakes, so it is the best that such a model could do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.reading import Reader

MOSCOW = ZoneInfo("Europe/Moscow")
PAGE = 100

Item = dict[str, Any]
Window = tuple[datetime, datetime]
"""Both ends are included, as in Liner's createdAt."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """The names that one server uses. `arguments` renames arguments; other names stay."""

    arguments: Mapping[str, str]
    envelope: bool


BARE = Spelling({"offset": "cursor"}, envelope=False)
WIRE = Spelling(
    {
        "created_from": "createdAt[0]",
        "created_to": "createdAt[1]",
        "order_ids": "orderIds[]",
        "lead_ids": "leadIds[]",
        "user_ids": "userIds[]",
        "status_ids": "statusIds[]",
        "call_id": "callId",
        "record_id": "callRecordId",
        "lead_id": "leadId",
        "user_id": "userId",
        "agent_id": "agentId",
        "access_group": "accessGroup",
    },
    envelope=True,
)


def days(first: date, last: date) -> Window:
    """Whole days in Moscow as a window in UTC."""
    end = datetime.combine(last + timedelta(days=1), time(), MOSCOW) - timedelta(seconds=1)
    return datetime.combine(first, time(), MOSCOW), end


def local(item: Item) -> datetime:
    return datetime.fromisoformat(item["createdAt"]).astimezone(MOSCOW)


@dataclass(slots=True)
class RawLiner:
    """Liner's endpoints as tools."""

    reader: Reader
    spelling: Spelling
    _orders: list[Item] = field(default_factory=list[Item])

    async def calls(self, window: Window, **filters: Iterable[int]) -> list[Item]:
        """All pages of the calls in a window. Without a filter by order or lead: of all orders."""
        return await self._all("list_calls", **await self._asked(window, filters))

    async def reached(self, window: Window, **filters: Iterable[int]) -> list[Item]:
        """Calls that reached a person, a third less to read: those of every known status except `no_answer`.

        It relies on the status. A call whose status is no longer in the dictionary cannot be requested and is missed.
        """
        statuses = [status["id"] for status in await self.call_statuses() if status["code"] != "no_answer"]
        return await self.calls(window, **filters, status_ids=statuses)

    async def count(self, window: Window, **filters: Iterable[int]) -> int:
        """The number of calls, from the total of a page with one row."""
        page = await self._data("list_calls", **await self._asked(window, filters), limit=1)
        return page["total"]

    async def nth(self, window: Window, place: int, **filters: Iterable[int]) -> Item:
        """One call by its position in the list."""
        asked = await self._asked(window, filters)
        page = await self._data("list_calls", **asked, **({"offset": place} if place else {}), limit=1)
        return page["list"][0]

    async def call(self, call_id: int) -> Item:
        return await self._data("get_call", call_id=call_id)

    async def records(self, call_id: int) -> list[Item]:
        return await self._all("list_call_records", call_id=call_id)

    async def record(self, record_id: int) -> Item:
        return await self._data("get_call_record", record_id=record_id)

    async def user(self, user_id: int) -> Item:
        return await self._data("get_user", user_id=user_id)

    async def users(self) -> list[Item]:
        return await self._all("list_users")

    async def agents(self) -> list[Item]:
        """The users with the two roles of agents."""
        groups = ("call-center", "call-center-senior")
        return [user for group in groups for user in await self._all("list_users", access_group=group)]

    async def agent_groups(self, **filters: int) -> list[Item]:
        return await self._all("list_agent_groups", **filters)

    async def call_statuses(self) -> list[Item]:
        return await self._data("list_call_statuses")

    async def orders(self) -> list[Item]:
        """Read once, because the answer stays in the conversation."""
        self._orders = self._orders or await self._all("list_orders")
        return self._orders

    async def order_id(self, title: str) -> int:
        (order,) = [order for order in await self.orders() if order["title"] == title]
        return order["id"]

    async def group(self, name: str) -> list[int]:
        """The agents of a group."""
        (group,) = [group for group in await self.agent_groups() if name in group["names"].values()]
        return group["agentIds"]

    async def _asked(self, window: Window, filters: Mapping[str, Iterable[int]]) -> dict[str, Any]:
        created = [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in window]
        asked = {name: list(ids) for name, ids in filters.items()}
        if not {"order_ids", "lead_ids"} & set(asked):
            asked["order_ids"] = [order["id"] for order in await self.orders()]
        return {"created_from": created[0], "created_to": created[1], **asked}

    async def _all(self, tool: str, **arguments: Any) -> list[Item]:
        found: dict[int, Item] = {}
        offset: int | None = 0
        while offset is not None:
            page = await self._data(tool, **arguments, **({"offset": offset} if offset else {}), limit=PAGE)
            found |= {item["id"]: item for item in page["list"]}
            offset = page["next"]
        return list(found.values())

    async def _data(self, tool: str, **arguments: Any) -> Any:
        spelled = {self.spelling.arguments.get(name, name): value for name, value in arguments.items()}
        body = json.loads(await self.reader.ask(tool, **spelled))
        return body["data"] if self.spelling.envelope else body
