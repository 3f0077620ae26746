"""Which calls are meant: the filters of a question, resolved to ids, and what Liner can check of them itself. Pure.

Liner filters by window, order, lead, agent and status; the rest is ours. Every filter is applied here as well, because
a filter that Liner ignores silently would make a wrong answer look right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.input_limits import first_echoed
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import CODE_CHARACTERS, Call
from liner_mcp.text.mask import quote_input

MAX_TARGET_CHARACTERS = 1_900  # characters of a request line; servers and proxies are known to refuse from 2,000 on


@dataclass(frozen=True, slots=True)
class Filters:
    """What calls must be like. An empty tuple and None do not narrow.

    `orders` is every order that Liner lists when nobody named orders or leads (`all_orders`). `codes` are the status
    codes that the asked statuses have; `status_ids` are their ids where the dictionary knows all of them.
    """

    orders: tuple[int, ...] = ()
    leads: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    status_ids: tuple[int, ...] = ()
    direction: str | None = None
    min_talk_seconds: int | None = None
    max_talk_seconds: int | None = None
    recorded: bool | None = None
    transferred: bool | None = None
    hung_up_by: str | None = None
    all_orders: bool = False

    def matches(self, call: Call) -> bool:
        """Whether a call is meant, but for `transferred`, which its records tell."""
        talk = call.talk_time_duration_seconds
        return (
            (not self.orders or self.all_orders or call.order_id in self.orders)
            and (not self.leads or call.lead_id in self.leads)
            and (not self.agents or call.user_id in self.agents)
            and (not self.codes or call.status_code in self.codes)
            and (self.direction is None or call.direction == self.direction)
            and (self.min_talk_seconds is None or (talk or 0) >= self.min_talk_seconds)
            and (self.max_talk_seconds is None or (talk is not None and talk <= self.max_talk_seconds))
            and (self.recorded is None or bool(call.has_records) is self.recorded)
            and (self.hung_up_by is None or call.finish_initiator == self.hung_up_by)
        )

    @property
    def client_side(self) -> list[str]:
        """The filters that Liner cannot check, in the names of the arguments."""
        ours = ["direction", "min_talk_seconds", "max_talk_seconds", "recorded", "transferred", "hung_up_by"]
        names = [name for name in ours if getattr(self, name) is not None]
        users, statuses = _server_side_ids(self.agents, self.status_ids)
        if self.agents and not users:
            names.append("agents")
        if self.codes and not statuses:
            names.append("statuses")
        if self.leads and self.orders and not self.all_orders:
            names.append("orders")
        return names

    def echo(self) -> dict[str, Any]:
        """What the question narrowed, to be echoed: ids and codes instead of names; a long list as its beginning."""
        found: dict[str, Any] = {}
        for name in ("orders", "leads", "agents"):
            ids: tuple[int, ...] = getattr(self, name)
            if ids and not (name == "orders" and self.all_orders):
                found[name] = _echo(ids)
        if self.codes:
            found["statuses"] = _echo(self.codes)
        for name in ("direction", "min_talk_seconds", "max_talk_seconds", "recorded", "transferred", "hung_up_by"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    def to_state(self) -> dict[str, Any]:
        """The same for a cursor. Every order goes by its flag alone."""
        state = {name: value for name, value in asdict(self).items() if value is not None and value != ()}
        if self.all_orders:
            del state["orders"]
        else:
            del state["all_orders"]
        return state

    def violated_by(self, *calls: Call) -> bool:
        """Whether Liner sent a call that it was asked to leave out: then it ignores a filter of its own."""
        users, statuses = _server_side_ids(self.agents, self.status_ids)
        orders = () if self.leads or self.all_orders else self.orders
        server_side = Filters(orders, self.leads, users, codes=self.codes if statuses else ())
        return not all(map(server_side.matches, calls))

    def call_filters(self, window: TimeWindow) -> list[CallFilter]:
        """What to ask Liner so that every call meant is among the answers: one request list, or one per chunk of ids.

        Both ends count as inside at Liner and have whole seconds, so a little more is asked than the window holds.
        """
        since = window.since.replace(microsecond=0)
        users, statuses = _server_side_ids(self.agents, self.status_ids)
        by_leads = bool(self.leads)
        ids = self.leads if by_leads else self.orders

        def call_filter(some: tuple[int, ...]) -> CallFilter:
            named = {"lead_ids": some} if by_leads else {"order_ids": some}
            return CallFilter(since, ceil_to_second(window.until), user_ids=users, status_ids=statuses, **named)

        return [call_filter(chunk) for chunk in _chunks(ids, MAX_TARGET_CHARACTERS - _target_length(users, statuses))]


def _echo(asked: Sequence[int | str]) -> list[int | str] | dict[str, Any]:
    # A code may be what a client sent.
    first = [quote_input(one, CODE_CHARACTERS) if isinstance(one, str) else one for one in first_echoed(asked)]
    return first if len(first) == len(asked) else {"count": len(asked), "first": first}


@lru_cache(maxsize=64)
def _server_side_ids(users: tuple[int, ...], statuses: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those of the narrowing ids that Liner is asked by. They share the line with orders or leads: so many that they
    fill it are checked here alone.
    """
    if _target_length(users, ()) > MAX_TARGET_CHARACTERS // 2:
        users = ()
    return users, statuses if _target_length(users, statuses) <= MAX_TARGET_CHARACTERS // 2 else ()


def _target_length(users: tuple[int, ...], statuses: tuple[int, ...]) -> int:
    moment = datetime(2000, 1, 1, tzinfo=UTC)  # all moments are equally long
    return len(CallFilter(moment, moment, user_ids=users, status_ids=statuses).query().page(100_000, 100).target)


def _chunks(ids: tuple[int, ...], room: int) -> Iterator[tuple[int, ...]]:
    """Ids in runs whose parameters fit `room` characters."""
    chunk: list[int] = []
    used = 0
    for one in ids:
        cost = len(f"&orderIds%5B%5D={one}")
        if chunk and used + cost > room:
            yield tuple(chunk)
            chunk, used = [], 0
        chunk.append(one)
        used += cost
    if chunk:
        yield tuple(chunk)
