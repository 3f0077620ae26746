"""Questions about people, projects and groups."""

from __future__ import annotations

from benchmarks.questions.asking import Question
from benchmarks.raw_reading import RawLiner
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset

AGENT = 104
FRAGMENT = "анна"

Person = tuple[str, bool, str]
"""Full name, whether active, the Russian name of the group."""


async def _agent_ours(liner: Tables) -> Person:
    (row,) = await liner.rows("list_directory", kind="agents", query=str(AGENT))
    return row["name"], bool(row["active"]), row["groups"]


async def _agent_raw(liner: RawLiner) -> Person:
    user = await liner.user(AGENT)
    (group,) = await liner.agent_groups(agent_id=AGENT)
    return f"{user['name']} {user['lastName']}", user["isActive"], group["names"]["ru"]


def _agent(dataset: Dataset) -> Person:
    (agent,) = [agent for agent in dataset.agents if agent.id == AGENT]
    (group,) = [group for group in dataset.agent_groups if AGENT in group.agent_ids]
    return agent.full_name, agent.is_active, group.name_ru


async def _called_ours(liner: Tables) -> set[int]:
    return {row["id"] for row in await liner.rows("list_directory", kind="agents", query=FRAGMENT)}


async def _called_raw(liner: RawLiner) -> set[int]:
    agents = await liner.agents()
    return {user["id"] for user in agents if FRAGMENT in f"{user['name']} {user['lastName']}".lower()}


NAMES = (
    Question(
        "who is it",
        f"Who is agent {AGENT}, and in which group?",
        _agent_ours,
        _agent_raw,
        lambda dataset, person: person == _agent(dataset),
    ),
    Question(
        "by a fragment",
        f"Which agents are called «{FRAGMENT.title()}»?",
        _called_ours,
        _called_raw,
        lambda dataset, found: found == {agent.id for agent in dataset.users if FRAGMENT in agent.full_name.lower()},
    ),
)
