"""The scenario of the fault matrix: its dataset and requests to every tool and every resource, with what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from liner_mcp.demo import Agent, Call, Dataset, DemoLiner
from liner_mcp.demo.index import shuffled
from tests.conftest import NOW
from tests.fault_matrix import oracle
from tests.fault_matrix.client import ToolOutcome, ToolRequest, client_for, in_process, send
from tests.fault_matrix.oracle import Verdict

USERS = 130  # two pages of Liner
BUSY_RECORDS = 130  # of one call: two pages of Liner, and more than one of ours
LIMIT = 200
FIRST_SPARE_ID = 10_000  # ids of users from here on have no calls
SHARED_NAME = "Мария Петрова"
AMBIGUOUS_NAME = "find_calls, a name of two"
"""The question that no answer can be right about: which of the two is meant must be asked back."""
SAMPLE, SEED = 12, 7
SUMMARY = "Клиент ждёт подборку квартир и просит перезвонить вечером, звонок номер"

Check = Callable[[ToolOutcome], Verdict]


@dataclass(frozen=True, slots=True)
class Request:
    """`check_for` takes how many rows may be absent because the list itself changed while it was read."""

    name: str
    request: ToolRequest
    check_for: Callable[[int], Check]


@dataclass(frozen=True, slots=True)
class Scenario:
    dataset: Dataset
    requests: tuple[Request, ...]

    def __getitem__(self, name: str) -> Request:
        (found,) = [request for request in self.requests if request.name == name]
        return found


def scenario_dataset() -> Dataset:
    """Three days of calls, some thousand lines of trouble: lists of several pages of every kind that has pages."""
    dataset = Dataset.generate(now=NOW, days=3, calls=240)
    model = dataset.users[0]
    more = [
        replace(model, id=FIRST_SPARE_ID + n, name=f"Сотрудник{n}", last_name="Запасной", email=f"spare{n}@example.com")
        for n in range(USERS - len(dataset.users))
    ]
    dataset.users = _with_shared_name_on_another_page((*dataset.users, *more))
    # Summaries of the generated calls are tested elsewhere; here a text must be comparable letter by letter.
    for record in list(dataset.records.values()):
        text = None if record.summary is None else f"{SUMMARY} {record.call_id}."
        dataset.records[record.id] = replace(record, summary=text)
    return dataset


def _with_shared_name_on_another_page(users: tuple[Agent, ...]) -> tuple[Agent, ...]:
    """Whoever reads only the first page of users meets one of two people called NAMESAKE."""
    talking = [user for user in shuffled(users) if user.is_agent and user.id < FIRST_SPARE_ID]
    first, last = talking[0].id, talking[-1].id
    name, last_name = SHARED_NAME.split()
    return tuple(replace(u, name=name, last_name=last_name) if u.id in (first, last) else u for u in users)


def _busy_call(dataset: Dataset) -> Call:
    call = dataset.add_call(created_at=NOW - timedelta(days=2, hours=20))
    for number in range(BUSY_RECORDS):
        moment = call.created_at + timedelta(minutes=number)
        dataset.add_record(call.id, summary=f"{SUMMARY} {call.id}, запись {number}.", created_at=moment)
    return dataset.calls[call.id]


async def make_scenario() -> Scenario:
    """The dataset and its questions; a healthy Liner is asked once for what a seed draws."""
    dataset = scenario_dataset()
    busy = _busy_call(dataset)
    ago = partial(_within, dataset)
    recorded = [call for call in ago(3) if call.has_records]
    with_summary = [record for record in dataset.records.values() if record.summary and record.has_file]
    plain = next(
        record for record in with_summary if len(dataset.records_of(record.call_id)) == 1 and record.call_id != busy.id
    )
    plain_call = dataset.calls[plain.call_id]
    of_lead = [call for call in oracle.newest_first(dataset.calls.values()) if call.lead_id == plain.lead_id]
    several = [call.id for call in recorded if call.id != busy.id][:14]
    unanswered = next(call.id for call in ago(3) if not call.has_records)
    names = Counter(user.full_name for user in dataset.users)
    agent = next(
        user for user in dataset.users if user.id in dataset.orders[0].agent_user_ids and names[user.full_name] == 1
    )
    order = dataset.orders[0]
    same_name = {user.id for user in dataset.users if user.full_name == SHARED_NAME}
    narrow = {"agents": [agent.full_name], "orders": [order.title, dataset.orders[1].title]}
    wanted = {order.id, dataset.orders[1].id}
    transferred = [
        call
        for call in ago(1)
        if call.order_id in wanted and any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    sample = ToolRequest("find_calls", {"since": "-3d", "sample": SAMPLE, "seed": SEED})
    drawn = await _sampled_ids(dataset, sample)
    summarized = [
        call
        for call in ago(1)
        if call.order_id in wanted and any(record.summary for record in dataset.records_of(call.id))
    ]
    ids = [several[0], unanswered, busy.id, *several[1:], 7_999_999]
    quotes = [
        (plain.id, "Клиент ждёт подборку квартир", "exact"),
        (plain.id, "клиент ждет подборку квартир", "same_words"),
        (plain.id, "Клиент отказался", "absent"),
    ]
    questions = (
        _tool("find_calls", {"since": "-2d", "limit": LIMIT},
              lambda slack: oracle.calls_check(dataset, ago(2), limit=LIMIT, slack=slack)),
        _tool("find_calls", {"since": "-3d", "limit": LIMIT, **narrow},
              lambda slack: oracle.calls_check(
                  dataset, [c for c in ago(3) if c.user_id == agent.id and c.order_id in wanted],
                  limit=LIMIT, slack=slack
              ), "by name"),
        _tool("find_calls", {"since": "-3d", "agents": [SHARED_NAME]},
              lambda slack: oracle.calls_check(
                  dataset, [c for c in ago(3) if c.user_id in same_name], limit=50, slack=slack
              ), "a name of two"),
        _tool("find_calls", {"leads": [plain.lead_id]},
              lambda slack: oracle.calls_check(dataset, of_lead, limit=50, slack=slack), "of a lead"),
        _tool("find_calls", {"since": "-1d", "orders": sorted(wanted), "transferred": True},
              lambda slack: oracle.calls_check(dataset, transferred, limit=50, slack=slack), "transferred"),
        _tool("find_calls", {"since": "-1d", "orders": sorted(wanted), "mentions": "перезвонят -взнос"},
              lambda slack: oracle.calls_check(dataset, summarized, limit=50, slack=slack), "mentions"),
        Request("find_calls, sample", sample,
                 lambda slack: oracle.sample_check(dataset, recorded, drawn, slack=slack)),
        _tool("call_stats", {"since": "-3d"},
              lambda slack: oracle.stats_check(dataset, ago(3), ["agent"], slack=slack)),
        _tool("call_stats", {"since": "-3d", "group_by": ["order", "status"]},
              lambda slack: oracle.stats_check(dataset, ago(3), ["order", "status"], slack=slack),
              "by order and status"),
        _tool("call_stats", {"since": "-1d", "orders": sorted(wanted), "include": ["records", "transfers"]},
              lambda slack: oracle.stats_check(
                  dataset, [call for call in ago(1) if call.order_id in wanted], ["agent"],
                  ["records", "transfers"], slack=slack
              ), "of recordings"),
        _tool("list_call_records", {"call_id": busy.id, "limit": 100},
              lambda slack: oracle.records_check(dataset, busy, limit=100, slack=slack)),
        _tool("list_call_records", {"call_id": plain.call_id},
              lambda slack: oracle.records_check(dataset, plain_call, limit=25, slack=slack), "one record"),
        _tool("get_call_summaries", {"call_ids": ids},
              lambda slack: oracle.summaries_check(dataset, ids, slack=slack)),
        _tool("get_call_record", {"record_id": plain.id},
              lambda slack: oracle.full_record_check(dataset, plain, slack=slack)),
        _tool("check_quotes", {"quotes": [{"record_id": one, "quote": text} for one, text, _ in quotes]},
              lambda _: oracle.quotes_check([state for _, _, state in quotes])),
        _tool("list_directory", {"kind": "agents"},
              lambda slack: oracle.entries_check({user.id: user.full_name for user in dataset.users}, slack=slack)),
        _tool("list_directory", {"kind": "call_statuses"},
              lambda slack: oracle.entries_check({s.id: s.title for s in dataset.call_statuses}, slack=slack),
              "statuses"),
        _resource("call", f"liner://calls/{plain.call_id}",
                  lambda slack: oracle.records_check(dataset, plain_call, limit=100, slack=slack)),
        _resource("call record", f"liner://call-records/{plain.id}",
                  lambda slack: oracle.full_record_check(dataset, plain, slack=slack)),
        _resource("summary", f"liner://call-records/{plain.id}/summary", lambda _: oracle.summary_check(plain)),
        _resource("recording", f"liner://call-records/{plain.id}/audio", lambda _: oracle.audio_check(plain)),
    )  # fmt: skip
    return Scenario(dataset, questions)


def _tool(tool: str, arguments: dict[str, object], check_for: Callable[[int], Check], detail: str = "") -> Request:
    return Request(f"{tool}, {detail}" if detail else tool, ToolRequest(tool, arguments), check_for)


def _resource(name: str, uri: str, check_for: Callable[[int], Check]) -> Request:
    return Request(f"the resource of a {name}", ToolRequest(uri=uri), check_for)


def _within(dataset: Dataset, days: int) -> list[Call]:
    since = NOW - timedelta(days=days)
    return oracle.newest_first(call for call in dataset.calls.values() if since <= call.created_at < NOW)


async def _sampled_ids(dataset: Dataset, sample: ToolRequest) -> list[int]:
    liner = DemoLiner(dataset)
    async with client_for(liner, transport=in_process(liner)) as client:
        table = oracle.table_of(await send(client, sample))
    return [row["call_id"] for row in table.rows]
