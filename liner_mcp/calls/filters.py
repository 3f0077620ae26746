"""The filters of a question, resolved: which calls pass, what is requested from Liner, and what is checked here. Pure.

Liner filters by window, order, lead, agent and status; this server applies the rest. It applies every filter to the
calls that come as well, because a filter that Liner ignores silently would make a wrong answer look right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, StringConstraints

from liner_mcp.argument_types import Id
from liner_mcp.calls.arguments import FILTERS, PlainFilters
from liner_mcp.calls.hours import HourSpan
from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.input_limits import MAX_MEMBERS, MAX_NAMES, MAX_TEXT, first_echoed
from liner_mcp.liner.endpoints import MAX_IDS, MAX_TARGET_CHARACTERS, CallFilter
from liner_mcp.liner.models import CODE_CHARACTERS, Call
from liner_mcp.names.directory import NO_AGENT
from liner_mcp.text.mask import quote_input

if TYPE_CHECKING:
    from liner_mcp.calls.recordings import CallRecordings

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # all times are equally long in a request
WINDOW = "window"  # the filter that every question has, by the time of a call

_ManyIds = Annotated[tuple[Id, ...], Field(max_length=MAX_NAMES)]
_Codes = Annotated[tuple[Annotated[str, StringConstraints(max_length=MAX_TEXT)], ...], Field(max_length=MAX_NAMES)]


@dataclass(frozen=True, slots=True)
class Filters(PlainFilters):
    """The filters of `CallQuery` with ids and codes in the place of names. None and an empty tuple do not narrow.

    `orders` is every order that Liner lists when neither orders nor leads were named (`all_orders`). `statuses` are
    status codes; `status_ids` are their ids, where the dictionary knows all of them. None among `agents` is no agent.
    """

    orders: _ManyIds = ()
    leads: _ManyIds = ()
    agents: Annotated[tuple[Id | None, ...], Field(max_length=MAX_MEMBERS)] = ()
    statuses: _Codes = ()
    status_ids: _ManyIds = ()
    all_orders: bool = False
    hours: HourSpan | None = None

    def _given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in FILTERS if not (name == "orders" and self.all_orders)}
        return {name: value for name, value in values.items() if value not in (None, ())}

    def matching(self, calls: Iterable[Call]) -> list[Call]:
        """Those of the calls that no filter on calls excludes: they pass, or are among the `undecided`."""
        return _matching(self._given(), calls)

    def undecided(self, calls: Iterable[Call]) -> dict[int, tuple[str, ...]]:
        """By the ids of calls, the filters that cannot be decided because Liner did not send the field they need."""
        fields = {WINDOW: "created_at", **{name: field for name in self._given() if (field := FILTERS[name].field)}}
        found: dict[int, tuple[str, ...]] = {}
        for call in calls:
            if not all(map(call.is_known, fields.values())):
                found[call.id] = tuple(name for name, field in fields.items() if not call.is_known(field))
        return found

    @property
    def agent_ids(self) -> tuple[int, ...]:
        return tuple(one for one in self.agents if one is not None)

    @property
    def on_recordings(self) -> list[str]:
        """The filters that need the recordings of a call."""
        return [name for name in self._given() if FILTERS[name].decides is not None]

    @property
    def on_summaries(self) -> bool:
        return any(FILTERS[name].of_summaries for name in self.on_recordings)

    def on_calls(self) -> Filters:
        """The same without the filters on recordings."""
        return replace(self, **dict.fromkeys(self.on_recordings))

    def decide(self, recordings: CallRecordings) -> bool | None:
        """Whether a call with these recordings passes all filters on recordings; None where they do not decide it."""
        verdicts: set[bool | None] = set()
        for name, value in self._given().items():
            decides = FILTERS[name].decides
            if decides is not None:
                verdicts.add(decides(recordings, value))
        return False if False in verdicts else None if None in verdicts else True

    @property
    def client_side(self) -> list[str]:
        """The filters that Liner does not apply, in the names of the arguments."""
        server_side = self._server_side()
        return [name for name in self._given() if name not in server_side]

    def _server_side(self) -> set[str]:
        """The filters that Liner applies: leads or else orders, and those that narrow its list further."""
        narrowing = self._narrowing()
        narrowed = {name for name, declared in FILTERS.items() if declared.parameter in narrowing}
        return {"leads" if self.leads else "orders"} | narrowed

    def _narrowing(self) -> dict[str, Any]:
        """Liner's parameters beside orders or leads. They share the request line with those: ids that would fill it
        are checked here alone. Calls without an agent cannot be requested, and an agent's ids would exclude them.
        """
        agents = () if None in self.agents else self.agent_ids
        fitting: dict[str, Any] = {}
        for parameter, ids in (("user_ids", agents), ("status_ids", self.status_ids)):
            more: dict[str, Any] = {**fitting, parameter: ids}
            # Half of the line is left to orders or leads.
            if (
                0 < len(ids) <= MAX_IDS
                and CallFilter(_ANY_TIME, _ANY_TIME, **more).target_length <= MAX_TARGET_CHARACTERS // 2
            ):
                fitting = more
        return fitting

    def echo(self) -> dict[str, Any]:
        """The filters that narrow, for the answer: ids and codes instead of names; a long list as its beginning."""
        named = {"agents": tuple(NO_AGENT if one is None else one for one in self.agents)}
        return {name: _echo(named.get(name, value)) for name, value in self._given().items()}

    @property
    def can_be_relaxed(self) -> bool:
        """Whether fewer filters would still be about the same question: leads alone are the question itself."""
        return any(name != "leads" for name in self._given())

    def to_state(self) -> dict[str, Any]:
        """The same for a cursor. Every order is stored as its flag alone."""
        state = {name: value for name, value in asdict(self).items() if value is not None and value != ()}
        if self.all_orders:
            del state["orders"]
        else:
            del state["all_orders"]
        return state

    def violated_by(self, *calls: Call) -> bool:
        """Whether Liner sent a call that the request excludes, and so ignores one of its own filters."""
        server_side = self._server_side()
        given = {name: value for name, value in self._given().items() if name in server_side}
        return len(_matching(given, calls)) < len(calls)

    def call_filters(self, window: TimeWindow) -> list[CallFilter]:
        """The lists to request so that they contain every call that passes: one list, or one per chunk of ids.

        Liner counts both ends as inside and takes whole seconds, so a little more is requested than the window holds.
        """
        since, until = window.since.replace(microsecond=0), ceil_to_second(window.until)
        parameter, ids = ("lead_ids", self.leads) if self.leads else ("order_ids", self.orders)
        if not ids:
            return []
        hints: dict[str, Any] = {name: getattr(self, name) for name in ("transferred", "has_summary", "mentions")}
        lists: dict[str, Any] = {parameter: ids}
        return CallFilter(since, until, **lists, **self._narrowing(), **hints).split()


def _matching(given: dict[str, Any], calls: Iterable[Call]) -> list[Call]:
    checks = [
        (FILTERS[name].field, matches, value)
        for name, value in given.items()
        if (matches := FILTERS[name].matches) is not None
    ]
    return [
        call
        for call in calls
        if all(not call.is_known(field) or matches(getattr(call, field), value) for field, matches, value in checks)
    ]


def _echo(value: Any) -> Any:
    if isinstance(value, HourSpan):
        return str(value)
    if not isinstance(value, tuple):
        return quote_input(value, MAX_TEXT) if isinstance(value, str) else value
    asked = cast("Sequence[int | str]", value)
    # A code may come from a client.
    first = [quote_input(one, CODE_CHARACTERS) if isinstance(one, str) else one for one in first_echoed(asked)]
    return first if len(first) == len(asked) else {"count": len(asked), "first": first}
