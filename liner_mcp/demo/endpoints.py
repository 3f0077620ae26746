"""What each address of the make-believe Liner answers: the routing table and one function per endpoint.

Nothing here sends a byte; a function takes a `Request` and gives the envelope's `data`, or raises `Refusal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

from liner_mcp.demo import wire
from liner_mcp.demo.index import Identified, Listing, shuffled
from liner_mcp.demo.query import Query, Refusal, identifier
from liner_mcp.demo.spoiling import TRUE_LISTS, SpoiltLists
from liner_mcp.demo.world import CallFilter, LeadFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from liner_mcp.demo.entities import Lead
    from liner_mcp.demo.world import World

LastPage = Literal["null", "absent", "zero", "repeated", "past_end"]
"""What `next` is on the last page, which the documentation leaves open."""
RecordList = Literal["full", "short"]
"""Which published version of the record list: eight fields or five."""
DictionaryPaths = Literal["both", "singular", "plural"]
"""Which spelling of the dictionaries' addresses exists: the headings' or the samples'."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What else the documentation leaves open, one way each; the defaults are the likelier ways."""

    slashes: Literal["both", "redirect", "without"] = "both"
    """A path that ends in a slash is answered, redirects to the one without, or is unknown."""
    over_limit: Literal["clamped", "refused", "honoured"] = "clamped"
    """What becomes of a page larger than a hundred."""
    window_ends: Literal["inside", "start_outside", "end_outside"] = "inside"
    amd: Literal["honoured", "ignored"] = "honoured"
    call_ids: Literal["optional", "required"] = "optional"
    """Whether records are listed without naming a call."""
    call_filter: Literal["required", "optional"] = "required"
    """Whether calls are listed without naming orders or leads."""
    unknown_id: Literal["not_found", "refused", "null"] = "not_found"
    """HTTP 404, HTTP 200 with `success` false, or an empty success."""
    numbers: Literal["numbers", "text"] = "numbers"
    longest_window: timedelta | None = None
    archived: Literal["none", "listed"] = "none"
    """Whether the second version lists an order that the first, of active ones, does not."""
    totals: bool = True
    """Whether lists say how many rows there are."""


USUAL = Habits()


class Elsewhere(Refusal):
    """The same is to be had at another path of this host."""

    def __init__(self, path: str) -> None:
        super().__init__(301, "Moved permanently.")
        self.path = path


ACCESS_GROUPS = ("client", "call-center", "call-center-senior", "arbitration", "moderator", "admin")

_MOMENT = timedelta(microseconds=1)

T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class Request:
    """One question, and what is needed to answer it."""

    world: World
    query: Query
    origin: str
    """Scheme and host as the asker sees them: audio addresses begin so."""
    last_page: LastPage
    record_list: RecordList
    spoilt: SpoiltLists = TRUE_LISTS
    habits: Habits = USUAL


def find(path: str, dictionary_paths: DictionaryPaths, habits: Habits = USUAL) -> Callable[[Request], object] | None:
    """The endpoint at this path, if there is one; with and without the trailing slash are mostly the same."""
    bare = path.removesuffix("/")
    if bare != path and habits.slashes == "redirect":
        raise Elsewhere(bare)
    if bare != path and habits.slashes == "without":
        return None
    listing = LISTS.get(bare) or dictionary(bare, dictionary_paths)
    if listing is not None:
        return listing
    parent, _, last = bare.rpartition("/")
    detail = DETAILS.get(parent)
    if detail is None:
        return None
    return lambda request: detail(request, identifier(last, "id"))


def dictionary(bare: str, paths: DictionaryPaths) -> Callable[[Request], object] | None:
    if bare in DICTIONARIES:
        return DICTIONARIES[bare] if paths != "plural" else None
    return PLURAL_DICTIONARIES.get(bare) if paths != "singular" else None


def health(_: Request) -> object:
    return wire.health()


def calls(request: Request) -> object:
    query = request.query
    order_ids, lead_ids = query.ids("orderIds"), query.ids("leadIds")
    habits = request.habits
    if not (query.has("orderIds") or query.has("leadIds")) and habits.call_filter == "required":
        raise Refusal(422, "The orderIds field is required when leadIds is not present.")
    since, until = query.window()
    if since and until and habits.longest_window is not None and until - since > habits.longest_window:
        raise Refusal(422, f"The window must not be longer than {habits.longest_window.days} days.")
    if since and habits.window_ends == "start_outside":
        since += _MOMENT
    if until and habits.window_ends == "end_outside":
        until -= _MOMENT
    wanted = CallFilter(order_ids, lead_ids, query.ids("userIds"), query.ids("statusIds"), since, until)
    return _page(request, request.world.find_calls(wanted), wire.call)


def call(request: Request, call_id: int) -> object:
    if call_id not in request.world.calls and request.habits.unknown_id != "not_found":
        if request.habits.unknown_id == "null":
            return None
        raise Refusal(200, "Call not found.")
    return _spelt(request, wire.call(_existing(request.world.calls, call_id, "Call")))


def records(request: Request) -> object:
    call_id, habits = request.query.id("callId"), request.habits
    if call_id is None and habits.call_ids == "required":
        raise Refusal(422, "The callId field is required.")
    amd_only = request.query.flag("isAmd") is True and habits.amd == "honoured"
    found = request.world.find_records(call_id, amd_only=amd_only)
    item = wire.record if request.record_list == "full" else wire.short_record
    return _page(request, found, lambda record: item(record, request.origin))


def record(request: Request, record_id: int) -> object:
    return wire.record(_existing(request.world.records, record_id, "Call record"), request.origin)


def leads(request: Request) -> object:
    since, until = request.query.window()
    wanted = LeadFilter(request.query.ids("orderIds"), request.query.ids("statusIds"), since, until)
    return _page(request, request.world.find_leads(wanted), lambda lead: _lead(request, lead))


def lead(request: Request, lead_id: int) -> object:
    return _lead(request, _existing(request.world.leads, lead_id, "Lead"))


def orders(request: Request) -> object:
    return _page(request, _listing(request.world.orders), wire.order)


def old_orders(request: Request) -> object:
    orders = shuffled(request.world.orders)
    return [wire.old_order(order) for order in (orders[:-1] if request.habits.archived == "listed" else orders)]


def users(request: Request) -> object:
    group = request.query.choice("accessGroup", ACCESS_GROUPS)
    active = request.query.flag("isActive")
    chosen = (
        user
        for user in request.world.users
        if (group is None or user.access_group == group) and (active is None or user.is_active is active)
    )
    return _page(request, _listing(chosen), wire.user)


def user(request: Request, user_id: int) -> object:
    return wire.user(_existing(_by_id(request.world.users), user_id, "User"))


def agent_groups(request: Request) -> object:
    agent_id = request.query.id("agentId")
    chosen = (group for group in request.world.agent_groups if agent_id is None or agent_id in group.agent_ids)
    return _page(request, _listing(chosen), wire.agent_group)


def agent_group(request: Request, group_id: int) -> object:
    return wire.agent_group(_existing(_by_id(request.world.agent_groups), group_id, "Agent group"))


def call_statuses(request: Request) -> object:
    return [wire.call_status(status) for status in shuffled(request.world.call_statuses)]


def lead_statuses(request: Request) -> object:
    return [wire.lead_status(status) for status in shuffled(request.world.lead_statuses)]


def sip_endpoints(request: Request) -> object:
    return [wire.sip_endpoint(endpoint) for endpoint in shuffled(request.world.sip_endpoints)]


def custom_fields(request: Request) -> object:
    essence = request.query.choice("essence", ("orders", "leads"))
    fields = shuffled(request.world.custom_fields)
    return [wire.custom_field(field) for field in fields if essence is None or field.essence == essence]


# The irregularities are Liner's: users are listed under /list, an agent group's detail has no /detail, and the health
# check and the old order list exist in the first version only.
LISTS: dict[str, Callable[[Request], object]] = {
    "/v1/health/check": health,
    "/v1/order/list": old_orders,
    "/v2/call": calls,
    "/v2/call-record": records,
    "/v2/lead": leads,
    "/v2/order": orders,
    "/v2/user/list": users,
    "/v2/agent-group": agent_groups,
}
DETAILS: dict[str, Callable[[Request, int], object]] = {
    "/v2/call/detail": call,
    "/v2/call-record/detail": record,
    "/v2/lead/detail": lead,
    "/v2/user/detail": user,
    "/v2/agent-group": agent_group,
}
DICTIONARIES: dict[str, Callable[[Request], object]] = {
    "/v2/call-status": call_statuses,
    "/v2/lead-status": lead_statuses,
    "/v2/sip-endpoint": sip_endpoints,
    "/v2/custom-field": custom_fields,
}
PLURAL_DICTIONARIES: dict[str, Callable[[Request], object]] = {
    "/v2/call-statuses": call_statuses,
    "/v2/lead-statuses": lead_statuses,
    "/v2/sip-endpoints": sip_endpoints,
    "/v2/custom-fields": custom_fields,
}


def _page(request: Request, listing: Listing[T], item: Callable[[T], dict[str, object]]) -> dict[str, object]:
    offset, limit = request.query.page(request.habits.over_limit)
    spoilt = request.spoilt
    hidden = min(spoilt.hidden, listing.total)
    total = listing.total - hidden
    things = listing.page(offset + hidden, limit)
    if spoilt.repeats and offset and things:
        things = [*listing.page(offset + hidden - 1, 1), *things[1:]]
    data: dict[str, object] = {"list": [_spelt(request, item(thing)) for thing in things]}
    following = offset + limit
    if following < total or request.last_page == "past_end":
        data["next"] = following
    elif request.last_page != "absent":
        data["next"] = {"null": None, "zero": 0, "repeated": offset}[request.last_page]
    if spoilt.total is not None and request.habits.totals:
        data["total"] = round(total * spoilt.total)
    return data


def _spelt(request: Request, item: dict[str, object]) -> dict[str, object]:
    """The item, its whole numbers perhaps as text, as some PHP back ends write them."""
    if request.habits.numbers == "numbers":
        return item
    return {name: str(value) if type(value) is int else value for name, value in item.items()}


def _listing(things: Iterable[T]) -> Listing[T]:
    found = shuffled(things)
    return Listing(found, len(found))


def _by_id(things: Iterable[T]) -> dict[int, T]:
    return {thing.id: thing for thing in things}


def _existing(things: Mapping[int, T], wanted: int, name: str) -> T:
    if wanted not in things:
        raise Refusal(404, f"{name} not found.")
    return things[wanted]


def _lead(request: Request, item: Lead) -> dict[str, object]:
    codes: dict[int, str] = {order.id: order.code for order in request.world.orders}
    return wire.lead(item, codes[item.order_id])
