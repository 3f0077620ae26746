"""Stratified sampling of calls: even over the agents, and the same for the same seed. Pure.

Agents, and each agent's calls, stand in the order of a hash of seed and id; the sample goes round the agents, one call
from each, until there are enough. A call without an agent belongs to a group of its own. Nothing depends on the order
in which calls are read, and only as many calls per agent are held as could be sampled.
"""

from __future__ import annotations

import hashlib
import heapq
import secrets
from collections.abc import Iterable
from itertools import count

from liner_mcp.liner.models import Call

SEED_BYTES = 4  # of a seed that nobody gave: easy to repeat, and as good as any


def new_seed() -> str:
    """A seed for whoever gave none."""
    return secrets.token_hex(SEED_BYTES)


class StratifiedSample:
    """A sample of `size` calls in the making; `population` counts what it is taken from."""

    def __init__(self, seed: str, size: int) -> None:
        self.seed = seed
        self.size = size
        self._tie_breakers = count()  # breaks ties, so that calls themselves are never compared
        self._candidates: dict[int | None, list[tuple[int, int, Call]]] = {}
        self.population = 0

    def add(self, calls: Iterable[Call]) -> None:
        """Add calls to choose from."""
        for call in calls:
            self.population += 1
            candidates = self._candidates.setdefault(call.user_id, [])
            # Negative, because the heap gives up its smallest and the smallest hashes are taken first.
            entry = (-self._hash_rank("call", call.id), next(self._tie_breakers), call)
            if len(candidates) < self.size:
                heapq.heappush(candidates, entry)
            else:
                heapq.heappushpop(candidates, entry)

    def selected(self) -> list[Call]:
        """The sample, in the order of its hash ranks."""
        agents = sorted(self._candidates, key=lambda agent: self._hash_rank("agent", agent))
        calls_by_agent = [
            [call for _, _, call in sorted(self._candidates[agent], key=lambda entry: -entry[0])] for agent in agents
        ]
        longest = max(map(len, calls_by_agent), default=0)
        rounds = [
            agent_calls[turn] for turn in range(longest) for agent_calls in calls_by_agent if turn < len(agent_calls)
        ]
        return rounds[: self.size]

    def _hash_rank(self, kind: str, one: int | None) -> int:
        digest = hashlib.blake2s(f"{self.seed}/{kind}/{one}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")
