"""Stratified sampling of calls: even over the agents, and the same for the same seed. Pure.

Agents, and each agent's calls, are ordered by a hash of seed and id. The sample takes one call of each agent in turn
until it is full. Calls without an agent are a group of their own. Nothing depends on the order in which calls are read,
and no more calls per agent are held than could be sampled.
"""

from __future__ import annotations

import hashlib
import heapq
import secrets
from collections.abc import Iterable
from itertools import count

from liner_mcp.liner.models import Call

SEED_BYTES = 4  # of a random seed: short enough to repeat


def new_seed() -> str:
    """A random seed, for a question without one."""
    return secrets.token_hex(SEED_BYTES)


class StratifiedSample:
    """A sample of `size` calls in the making; `population` counts what it is taken from.

    `held`: how many calls of each agent are held to choose from, at least `size`.
    """

    def __init__(self, seed: str, size: int, held: int | None = None) -> None:
        self.seed = seed
        self.size = size
        self._held = held or size
        self._tie_breakers = count()  # breaks ties, so that calls themselves are never compared
        self._candidates: dict[int | None, list[tuple[int, int, Call]]] = {}
        self.population = 0

    def add(self, calls: Iterable[Call]) -> None:
        for call in calls:
            self.population += 1
            candidates = self._candidates.setdefault(call.user_id, [])
            # Negative, because the heap drops its smallest entry and the sample takes the smallest hashes.
            entry = (-self._hash_rank("call", call.id), next(self._tie_breakers), call)
            if len(candidates) < self._held:
                heapq.heappush(candidates, entry)
            else:
                heapq.heappushpop(candidates, entry)

    def calls_by_agent(self) -> list[list[Call]]:
        """The calls that are held, by agent; agents and calls in the order in which they are taken."""
        agents = sorted(self._candidates, key=lambda agent: self._hash_rank("agent", agent))
        return [
            [call for _, _, call in sorted(self._candidates[agent], key=lambda entry: -entry[0])] for agent in agents
        ]

    def selected(self) -> list[Call]:
        """The sample, in the order of its hash ranks."""
        calls_by_agent = self.calls_by_agent()
        longest = max(map(len, calls_by_agent), default=0)
        rounds = [
            agent_calls[turn] for turn in range(longest) for agent_calls in calls_by_agent if turn < len(agent_calls)
        ]
        return rounds[: self.size]

    def _hash_rank(self, kind: str, one: int | None) -> int:
        digest = hashlib.blake2s(f"{self.seed}/{kind}/{one}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")
