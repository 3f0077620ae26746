"""Answers as Liner sent them, for whoever examines Liner itself: status, headers and JSON, not yet judged.

The connection is the one of `wire.py`, with its token, its size cap and its limits. Here nothing is retried, every
request is counted before it is sent, redirects too, and the count has an end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import anyio

from liner_mcp.errors import RequestError, Unreachable
from liner_mcp.liner import protocol
from liner_mcp.liner.protocol import Query
from liner_mcp.liner.wire import MAX_REDIRECTS, REQUEST_SECONDS, Wire

REDIRECTS = frozenset({301, 302, 303, 307, 308})

Body = Literal["json", "a web page", "empty", "not JSON"]


class Allowance:
    """How many requests may still be made; taking one too many is refused."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self) -> None:
        """Count one request that is about to be sent. Raises: RequestError when none is left."""
        if self.used >= self.most:
            raise RequestError(f"The {self.most} requests that were allowed are used up.")
        self.used += 1


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer. Header names are in lower case. `json` means something only where `body` is "json".

    `hops` are the targets that redirects on the same host led to. `leads` is set when the answer itself is a redirect
    that was not followed: to the same host, or away from it, where the token is never sent.
    """

    status: int
    headers: Mapping[str, str]
    body: Body
    json: object
    hops: tuple[str, ...]
    leads: Literal["on", "away"] | None
    sent_at: datetime
    got_at: datetime


class RawReader:
    """GET requests, each at most once, out of one allowance."""

    def __init__(self, wire: Wire, origin: str, allowance: Allowance) -> None:
        self._wire = wire
        self._origin = origin
        self.allowance = allowance

    async def get(self, query: Query, *, follow: bool = True) -> RawAnswer:
        """Whatever comes back, failures and web pages included; `follow` redirects on the same host.

        Raises: RequestError when the allowance is used up; UnreadableAnswer for a body beyond the cap; RateLimited when
        a pause that an earlier answer asked for does not end in time; CircuitOpen, Unreachable, ConnectionClosed,
        SettingsError.
        """
        target, hops = query.target, list[str]()
        try:
            with anyio.fail_after(REQUEST_SECONDS):
                while True:
                    self.allowance.take()
                    sent_at = datetime.now(UTC)
                    status, headers, body = await self._wire.ask_once(target)
                    got_at = datetime.now(UTC)
                    location = headers.get("location") if status in REDIRECTS else None
                    there = None if location is None else protocol.same_host(self._origin, target, location)
                    if there is None or not follow or len(hops) == MAX_REDIRECTS:
                        leads = None if location is None else ("away" if there is None else "on")
                        kind, decoded = _decoded(body)
                        return RawAnswer(status, headers, kind, decoded, tuple(hops), leads, sent_at, got_at)
                    hops.append(there)
                    target = there
        except TimeoutError:
            raise Unreachable(f"Liner did not answer within {REQUEST_SECONDS:.0f} s.") from None


def _decoded(body: bytes) -> tuple[Body, object]:
    if not body.strip():
        return "empty", None
    try:
        return "json", json.loads(body)
    except (ValueError, RecursionError):
        return ("a web page" if body.lstrip()[:1] == b"<" else "not JSON"), None
