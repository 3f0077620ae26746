"""A caller with access rules: the reads that exist for it, what they give, and which requests hidden ids cause."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from liner_mcp.demo import Dataset
from liner_mcp.errors import NotFound
from liner_mcp.liner.cached_client import CachedClient
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, Identified, Lead, Order, User
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.restricted_client import SEARCHED_CALLS, Access, RestrictedClient
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.liner.test_client import client_of
from tests.support.context import AlteredLiner

pytestmark = pytest.mark.anyio

ORDER, HIDDEN_ORDER = 201, 205
AGENT, HIDDEN_AGENT = 101, 104
ACCESS = {
    "orders": Access(orders=frozenset({ORDER})),
    "agents": Access(agents=frozenset({AGENT})),
    "both": Access(frozenset({ORDER}), frozenset({AGENT})),
}
YESTERDAY = NOW - timedelta(days=1)  # settled, so that a caller who may see it caches it
SETTLED = CallFilter(YESTERDAY - timedelta(days=1), YESTERDAY + timedelta(days=1), order_ids=(ORDER, HIDDEN_ORDER))
UNKNOWN = {"call": 7999999, "record": 9999999, "lead": 5999999}


@dataclass(frozen=True)
class Ids:
    """A call, its record and its lead."""

    call: int
    record: int
    lead: int


def add_recorded_call(dataset: Dataset, *, minutes: int = 0, **changes: Any) -> Ids:
    call = dataset.add_call(created_at=YESTERDAY + timedelta(minutes=minutes), **changes)
    record = dataset.add_record(call.id, summary="Клиент просит перезвонить.")
    return Ids(call.id, record.id, call.lead_id)


class Scene:
    """A fake Liner with visible calls and with a hidden call of each kind.

    `order`: a call of another order. `agent`: a call by another agent to a lead without visible calls. `busy lead`: a
    call by another agent to a lead with several visible calls. `moved`: a call of another order to that lead.
    """

    def __init__(self) -> None:
        dataset = Dataset.generate(now=NOW, days=2, calls=40)
        self.liner = FakeLiner(dataset)
        busy, quiet = [lead.id for lead in dataset.leads.values() if lead.order_id == ORDER][:2]
        self.visible = add_recorded_call(dataset, lead=busy, agent=AGENT)
        for n in range(1, SEARCHED_CALLS + 2):
            add_recorded_call(dataset, lead=busy, agent=AGENT, minutes=5 * n)
        self.hidden = {
            "order": add_recorded_call(dataset, order=HIDDEN_ORDER, agent=HIDDEN_AGENT),
            "agent": add_recorded_call(dataset, lead=quiet, agent=HIDDEN_AGENT),
            "busy lead": add_recorded_call(dataset, lead=busy, agent=HIDDEN_AGENT, minutes=3),
            "moved": add_recorded_call(dataset, lead=busy, order=HIDDEN_ORDER, agent=HIDDEN_AGENT, minutes=3),
        }

    def hidden_from(self, access: Access) -> dict[str, Ids]:
        return {
            name: ids
            for name, ids in self.hidden.items()
            if not access.allows_order(self.liner.dataset.calls[ids.call].order_id)
            or not access.allows_agent(self.liner.dataset.calls[ids.call].user_id)
        }

    def take_requests(self) -> list[str]:
        """The requests since the last look, with `N` for every id, number and time."""
        targets = [re.sub(r"(?<=[=/])[0-9][0-9T%AZ-]*(?=/|&|$)", "N", target) for target in self.liner.requests]
        self.liner.requests.clear()
        return targets


@pytest.fixture
def scene() -> Scene:
    return Scene()


@asynccontextmanager
async def clients(scene: Scene, access: Access) -> AsyncGenerator[tuple[LinerReads, LinerReads]]:
    """A restricted caller and a caller of everything, on one connection, as the server makes them."""
    async with client_of(scene.liner) as whole:
        yield CachedClient(RestrictedClient(whole, access)), CachedClient(whole)


# What exists --------------------------------------------------------------------------------------------------------

READS = {name for name in vars(LinerReads) if not name.startswith("_")}


def test_a_restricted_caller_has_the_reads_of_the_protocol_and_nothing_else() -> None:
    async def none(*_: object) -> None: ...

    whole = client_of(none)
    for client in (RestrictedClient(whole, Access()), CachedClient(whole)):
        assert not isinstance(client, LinerClient)
        assert {name for name in dir(client) if not name.startswith("_")} == READS
        for name in READS - {"concurrency"}:
            read = inspect.signature(getattr(LinerReads, name))
            without_self = read.replace(parameters=list(read.parameters.values())[1:])
            assert inspect.signature(getattr(client, name)).parameters == without_self.parameters


def things_in(result: object) -> list[object]:
    """A result and everything inside it."""
    inner: Iterable[object] = ()
    if isinstance(result, Identified):
        inner = vars(result).values()
    elif isinstance(result, Listing):
        inner = cast("Listing[Identified]", result).items
    elif isinstance(result, tuple):
        inner = cast("tuple[object, ...]", result)
    return [result, *(thing for one in inner for thing in things_in(one))]


@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
async def test_no_read_gives_anything_that_is_hidden(scene: Scene, access: Access) -> None:
    everyone = [scene.visible, *scene.hidden.values()]
    windows = [SETTLED, *(replace(SETTLED, order_ids=(), lead_ids=(one.lead,)) for one in everyone)]
    arguments: dict[str, list[tuple[object, ...]]] = {
        "call": [(one.call,) for one in everyone],
        "calls": [(one,) for one in windows],
        "call_record": [(one.record,) for one in everyone],
        "call_records": [(one.call,) for one in everyone],
        "lead": [(one.lead,) for one in everyone],
        **{name: [()] for name in ("orders", "users", "agent_groups", "call_statuses", "lead_statuses")},
    }
    assert arguments.keys() | {"concurrency"} == READS
    found: list[object] = []
    async with clients(scene, access) as (client, _):
        for name, calls in arguments.items():
            for one in calls:
                with suppress(NotFound):
                    found += things_in(await getattr(client, name)(*one))
        found.append(client.concurrency)
    kinds = {type(one) for one in found}
    assert kinds >= {int, Call, CallRecord, Lead, Order, User, AgentGroup, Listing}
    assert not any(issubclass(kind, (LinerClient, RestrictedClient)) for kind in kinds)
    dataset = scene.liner.dataset
    seen_calls = {one.id for one in found if isinstance(one, Call)}
    seen_calls |= {dataset.records[one.id].call_id for one in found if isinstance(one, CallRecord)}
    assert scene.visible.call in seen_calls
    assert seen_calls.isdisjoint(one.call for one in scene.hidden_from(access).values())
    for one in found:
        if isinstance(one, Call):
            assert access.allows_call(one)
        elif isinstance(one, Lead):
            assert access.allows_order(one.order_id)
        elif isinstance(one, Order):
            assert access.allows_order(one.id)
        elif isinstance(one, User):
            assert access.allows_agent(one.id)
        elif isinstance(one, AgentGroup):
            assert all(map(access.allows_agent, one.agent_ids or ()))


# Which requests hidden ids cause ------------------------------------------------------------------------------------

Read = Callable[[LinerReads, int], Awaitable[object]]
BY_ID: dict[str, tuple[str, Read]] = {
    "call": ("call", lambda client, one: client.call(one)),
    "call_records": ("call", lambda client, one: client.call_records(one)),
    "call_record": ("record", lambda client, one: client.call_record(one)),
    "a fresh call_record": ("record", lambda client, one: client.call_record(one, fresh=True)),
    "lead": ("lead", lambda client, one: client.lead(one)),
    "calls of a lead": ("lead", lambda client, one: client.calls(replace(SETTLED, order_ids=(), lead_ids=(one,)))),
}


def hidden_leads(scene: Scene, access: Access) -> list[int]:
    return [scene.hidden["order"].lead] if access.orders is not None else []


def hidden_ids(scene: Scene, access: Access, kind: str) -> list[int]:
    if kind == "lead":
        return hidden_leads(scene, access)
    return [getattr(one, kind) for one in scene.hidden_from(access).values()]


async def ask_everything_of(client: LinerReads, scene: Scene) -> None:
    """Read all ids, visible and hidden ones, in every way."""
    for one in [scene.visible, *scene.hidden.values()]:
        for kind, read in BY_ID.values():
            with suppress(NotFound):
                await read(client, getattr(one, kind))


@pytest.mark.parametrize(
    ("access", "field", "undecided"),
    [
        ("agents", "userId", True),
        ("orders", "orderId", True),
        ("orders", "userId", False),
        ("agents", "orderId", False),
    ],
)
async def test_calls_whose_access_cannot_be_decided_leave_the_list_incomplete(
    scene: Scene, access: str, field: str, *, undecided: bool
) -> None:
    def without(data: Any) -> Any:
        rows = [{name: value for name, value in row.items() if name != field} for row in data["list"]]
        return {**data, "list": rows}

    altered = AlteredLiner(scene.liner, change_by_pattern={r"/v2/call/\?": without})
    async with client_of(altered) as whole:
        listing = await RestrictedClient(whole, ACCESS[access]).calls(SETTLED)
    if undecided:
        assert (listing.items, listing.complete, listing.total) == ((), False, None)
        assert listing.unreadable > 0
    else:
        assert (bool(listing.items), listing.complete, listing.unreadable) == (True, True, 0)


async def list_the_window(client: LinerReads) -> None:
    for call in (await client.calls(SETTLED)).items:
        await client.call_records(call.id)


@pytest.mark.parametrize("read_by_others", [False, True], ids=["cold", "read by another caller"])
@pytest.mark.parametrize("listed", [False, True], ids=["not listed", "listed"])
@pytest.mark.parametrize("asked_before", [False, True], ids=["first time", "asked before"])
@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
@pytest.mark.parametrize("name", BY_ID)
async def test_hidden_and_unknown_ids_cause_the_same_requests(
    scene: Scene, name: str, access: Access, *, asked_before: bool, listed: bool, read_by_others: bool
) -> None:
    kind, read = BY_ID[name]
    caused: dict[int, list[str]] = {}
    async with clients(scene, access) as (client, whole):
        if read_by_others:
            await ask_everything_of(whole, scene)
        if listed:
            await list_the_window(client)
        for one in (*hidden_ids(scene, access, kind), UNKNOWN[kind]):
            if asked_before:
                with suppress(NotFound):
                    await read(client, one)
            scene.liner.requests.clear()
            if name == "calls of a lead" and access.orders is not None:
                assert await read(client, one) == Listing((), complete=True, total=0, changed=False)
            elif name != "calls of a lead":
                with pytest.raises(NotFound):
                    await read(client, one)
            caused[one] = scene.take_requests()
    unknown = caused.pop(UNKNOWN[kind])
    assert all(requests == unknown for requests in caused.values()), (unknown, caused)
    assert bool(caused) == (kind != "lead" or access.orders is not None)


@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
async def test_the_requests_of_a_hidden_id_are_as_documented(scene: Scene, access: Access) -> None:
    hidden = scene.hidden_from(access)["agent" if access.agents else "order"]
    async with clients(scene, access) as (client, _):
        spent = {}
        for name, kind in (("call", "call"), ("call_record", "record")):
            with pytest.raises(NotFound):
                await BY_ID[name][1](client, getattr(hidden, kind))
            spent[name] = len(scene.take_requests())
    assert spent == {"call": 2, "call_record": 1 + 1 + SEARCHED_CALLS + 1}


@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
async def test_a_visible_record_costs_three_requests_one_when_listed_and_none_when_cached(
    scene: Scene, access: Access
) -> None:
    spent: list[int] = []
    async with clients(scene, access) as (client, _):
        for _ in range(2):
            assert (await client.call_record(scene.visible.record)).id == scene.visible.record
            spent.append(len(scene.take_requests()))
    async with clients(scene, access) as (client, _):
        await list_the_window(client)
        scene.liner.requests.clear()
        assert (await client.call_record(scene.visible.record)).id == scene.visible.record
        spent.append(len(scene.take_requests()))
    assert spent == [3, 0, 1]


@pytest.mark.parametrize("access", ACCESS.values(), ids=ACCESS)
async def test_every_visible_record_of_a_busy_lead_is_found_by_its_id(scene: Scene, access: Access) -> None:
    dataset = scene.liner.dataset
    mine = [call for call in dataset.calls.values() if call.lead_id == scene.visible.lead]
    async with clients(scene, access) as (client, _):
        for call in mine:
            visible = access.allows_order(call.order_id) and access.allows_agent(call.user_id)
            for record in dataset.records_of(call.id):
                try:
                    found = (await client.call_record(record.id)).id
                except NotFound:
                    found = None
                assert (found == record.id) == visible


async def test_what_one_caller_may_see_is_not_cached_for_another(scene: Scene) -> None:
    async with client_of(scene.liner) as whole:
        mine, theirs = (CachedClient(RestrictedClient(whole, ACCESS[name])) for name in ("orders", "agents"))
        hidden = scene.hidden["agent"]
        for _ in range(2):
            assert (await mine.call(hidden.call)).id == hidden.call
            assert (await mine.call_records(hidden.call)).items
            with pytest.raises(NotFound):
                await theirs.call(hidden.call)
            with pytest.raises(NotFound):
                await theirs.call_records(hidden.call)


class OneNumberForBoth:
    """A Liner in which the record of a hidden call has the number of that call."""

    def __init__(self, whole: LinerClient, hidden: Ids) -> None:
        self._whole = whole
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    async def call_record(self, record_id: int, *, fresh: bool) -> CallRecord:
        assert record_id == self._hidden.call
        record = await self._whole.call_record(self._hidden.record, fresh=fresh)
        return record.model_copy(update={"id": record_id})

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        listing = await self._whole.call_records(call_id)
        if call_id != self._hidden.call:
            return listing
        return replace(listing, items=tuple(one.model_copy(update={"id": call_id}) for one in listing.items))


async def test_a_search_under_the_records_own_number_shows_nothing(scene: Scene) -> None:
    hidden = scene.hidden["order"]
    async with client_of(scene.liner) as whole:
        client = RestrictedClient(cast("LinerReads", OneNumberForBoth(whole, hidden)), ACCESS["orders"])
        for _ in range(2):
            with pytest.raises(NotFound):
                await client.call_record(hidden.call)
