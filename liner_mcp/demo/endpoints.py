"""The endpoints of the demo Liner: the routing table and one function per endpoint. No I/O.

A function takes a `Request` and gives the `data` of the envelope, or raises `Refusal`. The table has the endpoints that
this server and the benchmarks use. Where the documentation leaves a question open, the more likely answer is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from liner_mcp.demo import serialization
from liner_mcp.demo.dataset import CallFilter
from liner_mcp.demo.index import Identified, Listing, shuffled
from liner_mcp.demo.query import Query, Refusal, identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from liner_mcp.demo.dataset import Dataset

ACCESS_GROUPS = ("client", "call-center", "call-center-senior", "arbitration", "moderator", "admin")

T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class Request:
    dataset: Dataset
    query: Query
    origin: str  # scheme and host as in the client's request, for the links to audio


def find(path: str) -> Callable[[Request], object] | None:
    """The endpoint at this path, with or without a trailing slash, or None."""
    bare = path.removesuffix("/")
    if bare in LISTS:
        return LISTS[bare]
    parent, _, last = bare.rpartition("/")
    detail = DETAILS.get(parent)
    if detail is None:
        return None
    return lambda request: detail(request, identifier(last, "id"))


def health(_: Request) -> object:
    return serialization.health()


def calls(request: Request) -> object:
    query = request.query
    order_ids, lead_ids = query.ids("orderIds"), query.ids("leadIds")
    if order_ids is None and lead_ids is None:
        raise Refusal(422, "The orderIds field is required when leadIds is not present.")
    wanted = CallFilter(order_ids, lead_ids, query.ids("userIds"), query.ids("statusIds"), *query.window())
    return _page(request, request.dataset.find_calls(wanted), serialization.call)


def call(request: Request, call_id: int) -> object:
    return serialization.call(_existing(request.dataset.calls, call_id, "Call"))


def records(request: Request) -> object:
    query = request.query
    found = request.dataset.find_records(query.id("callId"), amd_only=query.flag("isAmd") is True)
    return _page(request, found, lambda record: serialization.record(record, request.origin))


def record(request: Request, record_id: int) -> object:
    return serialization.record(_existing(request.dataset.records, record_id, "Call record"), request.origin)


def lead(request: Request, lead_id: int) -> object:
    item = _existing(request.dataset.leads, lead_id, "Lead")
    return serialization.lead(item, _by_id(request.dataset.orders)[item.order_id].code)


def orders(request: Request) -> object:
    return _page(request, _listing(request.dataset.orders), serialization.order)


def old_orders(request: Request) -> object:
    return [serialization.old_order(order) for order in shuffled(request.dataset.orders)]


def users(request: Request) -> object:
    group = request.query.choice("accessGroup", ACCESS_GROUPS)
    active = request.query.flag("isActive")
    chosen = (
        user
        for user in request.dataset.users
        if (group is None or user.access_group == group) and (active is None or user.is_active is active)
    )
    return _page(request, _listing(chosen), serialization.user)


def user(request: Request, user_id: int) -> object:
    return serialization.user(_existing(_by_id(request.dataset.users), user_id, "User"))


def agent_groups(request: Request) -> object:
    agent_id = request.query.id("agentId")
    chosen = (group for group in request.dataset.agent_groups if agent_id is None or agent_id in group.agent_ids)
    return _page(request, _listing(chosen), serialization.agent_group)


def call_statuses(request: Request) -> object:
    return [serialization.call_status(status) for status in shuffled(request.dataset.call_statuses)]


def lead_statuses(request: Request) -> object:
    return [serialization.lead_status(status) for status in shuffled(request.dataset.lead_statuses)]


# As documented by Liner: users are under /list, and the health check and the list of active orders are in /v1 only.
LISTS: dict[str, Callable[[Request], object]] = {
    "/v1/health/check": health,
    "/v1/order/list": old_orders,
    "/v2/call": calls,
    "/v2/call-record": records,
    "/v2/order": orders,
    "/v2/user/list": users,
    "/v2/agent-group": agent_groups,
    "/v2/call-status": call_statuses,
    "/v2/lead-status": lead_statuses,
}
DETAILS: dict[str, Callable[[Request, int], object]] = {
    "/v2/call/detail": call,
    "/v2/call-record/detail": record,
    "/v2/lead/detail": lead,
    "/v2/user/detail": user,
}


def _page(request: Request, listing: Listing[T], item: Callable[[T], dict[str, object]]) -> dict[str, object]:
    offset, limit = request.query.page()
    following = offset + limit
    return {
        "list": [item(thing) for thing in listing.page(offset, limit)],
        "next": following if following < listing.total else None,
        "total": listing.total,
    }


def _listing(things: Iterable[T]) -> Listing[T]:
    found = shuffled(things)
    return Listing(found, len(found))


def _by_id(things: Iterable[T]) -> dict[int, T]:
    return {thing.id: thing for thing in things}


def _existing(things: Mapping[int, T], wanted: int, name: str) -> T:
    if wanted not in things:
        raise Refusal(404, f"{name} not found.")
    return things[wanted]
