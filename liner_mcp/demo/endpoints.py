"""What each address of the make-believe Liner answers: the routing table and one function per endpoint.

Nothing here sends a byte; a function takes a `Request` and gives the envelope's `data`, or raises `Refusal`.
"""

from __future__ import annotations

from dataclasses import dataclass
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

ACCESS_GROUPS = ("client", "call-center", "call-center-senior", "arbitration", "moderator", "admin")

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


def find(path: str, dictionary_paths: DictionaryPaths) -> Callable[[Request], object] | None:
    """The endpoint at this path, if there is one; with and without the trailing slash are the same."""
    bare = path.removesuffix("/")
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
    if not (query.has("orderIds") or query.has("leadIds")):
        raise Refusal(422, "The orderIds field is required when leadIds is not present.")
    since, until = query.window()
    wanted = CallFilter(order_ids, lead_ids, query.ids("userIds"), query.ids("statusIds"), since, until)
    return _page(request, request.world.find_calls(wanted), wire.call)


def call(request: Request, call_id: int) -> object:
    return wire.call(_existing(request.world.calls, call_id, "Call"))


def records(request: Request) -> object:
    call_id = request.query.id("callId")
    found = request.world.find_records(call_id, amd_only=request.query.flag("isAmd") is True)
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
    return [wire.old_order(order) for order in shuffled(request.world.orders)]


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
    offset, limit = request.query.page()
    spoilt = request.spoilt
    hidden = min(spoilt.hidden, listing.total)
    total = listing.total - hidden
    things = listing.page(offset + hidden, limit)
    if spoilt.repeats and offset and things:
        things = [*listing.page(offset + hidden - 1, 1), *things[1:]]
    data: dict[str, object] = {"list": [item(thing) for thing in things]}
    following = offset + limit
    if following < total or request.last_page == "past_end":
        data["next"] = following
    elif request.last_page != "absent":
        data["next"] = {"null": None, "zero": 0, "repeated": offset}[request.last_page]
    if spoilt.total is not None:
        data["total"] = round(total * spoilt.total)
    return data


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
