"""The world under fire and the questions asked of it: every tool and every resource, each with what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from liner_mcp.demo import Agent, Call, DemoLiner, World
from liner_mcp.demo.index import shuffled
from tests.conftest import NOW
from tests.fault_matrix import oracle
from tests.fault_matrix.client import Asked, Came, ask, asking, in_process
from tests.fault_matrix.oracle import Verdict

USERS = 130  # two pages of Liner
BUSY_RECORDS = 130  # of one call: two pages of Liner, and more than one of ours
LIMIT = 200
SPARE = 10_000  # ids of users from here on have no calls
NAMESAKE = "Мария Петрова"
NAMED_BY_TWO = "find_calls, a name of two"
"""The question that no answer can be right about: which of the two is meant must be asked back."""
SAMPLE, SEED = 12, 7
SUMMARY = "Клиент ждёт подборку квартир и просит перезвонить вечером, звонок номер"

Judge = Callable[[Came], Verdict]


@dataclass(frozen=True, slots=True)
class Question:
    """`judge_for` takes how many rows may be absent because the list itself changed while it was read."""

    name: str
    asked: Asked
    judge_for: Callable[[int], Judge]


@dataclass(frozen=True, slots=True)
class Scene:
    world: World
    questions: tuple[Question, ...]

    def __getitem__(self, name: str) -> Question:
        (found,) = [question for question in self.questions if question.name == name]
        return found


def fire_world() -> World:
    """Three days of calls, some thousand lines of trouble: lists of several pages of every kind that has pages."""
    world = World.generate(now=NOW, days=3, calls=240)
    model = world.users[0]
    more = [
        replace(model, id=SPARE + n, name=f"Сотрудник{n}", last_name="Запасной", email=f"spare{n}@example.com")
        for n in range(USERS - len(world.users))
    ]
    world.users = _with_a_namesake_on_another_page((*world.users, *more))
    # Summaries of the generated calls are tested elsewhere; here a text must be comparable letter by letter.
    for record in list(world.records.values()):
        text = None if record.summary is None else f"{SUMMARY} {record.call_id}."
        world.records[record.id] = replace(record, summary=text)
    return world


def _with_a_namesake_on_another_page(users: tuple[Agent, ...]) -> tuple[Agent, ...]:
    """Whoever reads only the first page of users meets one of two people called NAMESAKE."""
    talking = [user for user in shuffled(users) if user.is_agent and user.id < SPARE]
    first, last = talking[0].id, talking[-1].id
    name, last_name = NAMESAKE.split()
    return tuple(replace(u, name=name, last_name=last_name) if u.id in (first, last) else u for u in users)


def _busy_call(world: World) -> Call:
    call = world.add_call(created_at=NOW - timedelta(days=2, hours=20))
    for number in range(BUSY_RECORDS):
        moment = call.created_at + timedelta(minutes=number)
        world.add_record(call.id, summary=f"{SUMMARY} {call.id}, запись {number}.", created_at=moment)
    return world.calls[call.id]


async def make_scene() -> Scene:
    """The world and its questions; a healthy Liner is asked once for what a seed draws."""
    world = fire_world()
    busy = _busy_call(world)
    ago = partial(_within, world)
    recorded = [call for call in ago(3) if call.has_records]
    told = [record for record in world.records.values() if record.summary and record.has_file]
    plain = next(record for record in told if len(world.records_of(record.call_id)) == 1 and record.call_id != busy.id)
    plain_call = world.calls[plain.call_id]
    of_lead = [call for call in oracle.newest_first(world.calls.values()) if call.lead_id == plain.lead_id]
    several = [call.id for call in recorded if call.id != busy.id][:14]
    unanswered = next(call.id for call in ago(3) if not call.has_records)
    names = Counter(user.full_name for user in world.users)
    agent = next(
        user for user in world.users if user.id in world.orders[0].agent_user_ids and names[user.full_name] == 1
    )
    order = world.orders[0]
    namesakes = {user.id for user in world.users if user.full_name == NAMESAKE}
    narrow = {"agents": [agent.full_name], "orders": [order.title, world.orders[1].title]}
    wanted = {order.id, world.orders[1].id}
    transferred = [
        call
        for call in ago(1)
        if call.order_id in wanted and any(record.is_transfer for record in world.records_of(call.id))
    ]
    sample = Asked("find_calls", {"since": "-3d", "sample": SAMPLE, "seed": SEED})
    drawn = await _drawn(world, sample)
    ids = [several[0], unanswered, busy.id, *several[1:], 7_999_999]
    questions = (
        _tool("find_calls", {"since": "-2d", "limit": LIMIT},
              lambda slack: oracle.calls_judge(world, ago(2), limit=LIMIT, slack=slack)),
        _tool("find_calls", {"since": "-3d", "limit": LIMIT, **narrow},
              lambda slack: oracle.calls_judge(
                  world, [c for c in ago(3) if c.user_id == agent.id and c.order_id in wanted], limit=LIMIT, slack=slack
              ), "by name"),
        _tool("find_calls", {"since": "-3d", "agents": [NAMESAKE]},
              lambda slack: oracle.calls_judge(
                  world, [c for c in ago(3) if c.user_id in namesakes], limit=50, slack=slack
              ), "a name of two"),
        _tool("find_calls", {"leads": [plain.lead_id]},
              lambda slack: oracle.calls_judge(world, of_lead, limit=50, slack=slack), "of a lead"),
        _tool("find_calls", {"since": "-1d", "orders": sorted(wanted), "transferred": True},
              lambda slack: oracle.calls_judge(world, transferred, limit=50, slack=slack), "transferred"),
        Question("find_calls, sample", sample,
                 lambda slack: oracle.sample_judge(world, recorded, drawn, slack=slack)),
        _tool("call_stats", {"since": "-3d"}, lambda slack: oracle.stats_judge(world, ago(3), ["agent"], slack=slack)),
        _tool("call_stats", {"since": "-3d", "group_by": ["order", "status"]},
              lambda slack: oracle.stats_judge(world, ago(3), ["order", "status"], slack=slack), "by order and status"),
        _tool("list_call_records", {"call_id": busy.id, "limit": 100},
              lambda slack: oracle.records_judge(world, busy, limit=100, slack=slack)),
        _tool("list_call_records", {"call_id": plain.call_id},
              lambda slack: oracle.records_judge(world, plain_call, limit=25, slack=slack), "one record"),
        _tool("get_call_summaries", {"call_ids": ids},
              lambda slack: oracle.summaries_judge(world, ids, slack=slack)),
        _tool("get_call_record", {"record_id": plain.id},
              lambda slack: oracle.full_record_judge(world, plain, slack=slack)),
        _tool("list_directory", {"kind": "agents"},
              lambda slack: oracle.entries_judge({user.id: user.full_name for user in world.users}, slack=slack)),
        _tool("list_directory", {"kind": "call_statuses"},
              lambda slack: oracle.entries_judge({s.id: s.title for s in world.call_statuses}, slack=slack), "statuses"),
        _resource("call", f"liner://calls/{plain.call_id}",
                  lambda slack: oracle.records_judge(world, plain_call, limit=100, slack=slack)),
        _resource("call record", f"liner://call-records/{plain.id}",
                  lambda slack: oracle.full_record_judge(world, plain, slack=slack)),
        _resource("summary", f"liner://call-records/{plain.id}/summary", lambda _: oracle.summary_judge(plain)),
        _resource("recording", f"liner://call-records/{plain.id}/audio", lambda _: oracle.audio_judge(plain)),
    )  # fmt: skip
    return Scene(world, questions)


def _tool(tool: str, arguments: dict[str, object], judge_for: Callable[[int], Judge], detail: str = "") -> Question:
    return Question(f"{tool}, {detail}" if detail else tool, Asked(tool, arguments), judge_for)


def _resource(name: str, uri: str, judge_for: Callable[[int], Judge]) -> Question:
    return Question(f"the resource of a {name}", Asked(uri=uri), judge_for)


def _within(world: World, days: int) -> list[Call]:
    since = NOW - timedelta(days=days)
    return oracle.newest_first(call for call in world.calls.values() if since <= call.created_at < NOW)


async def _drawn(world: World, sample: Asked) -> list[int]:
    liner = DemoLiner(world)
    async with asking(liner, transport=in_process(liner)) as client:
        told = oracle.table_of(await ask(client, sample))
    return [row["call_id"] for row in told.rows]
