"""Liner's answers without interpretation: status, headers and JSON, to examine Liner itself.

The requests use `liner/transport.py`, with its token, size limit and throttle, but without retries. Every request,
redirects included, is counted against a budget before it is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

import anyio

from liner_mcp.errors import RequestError, Unreachable
from liner_mcp.liner.decoding import first_visible_byte, integer_of
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.http_client import redirect_location
from liner_mcp.liner.redirects import same_origin_target
from liner_mcp.liner.retry import parse_http_date
from liner_mcp.liner.transport import MAX_REDIRECTS, REQUEST_TIMEOUT_SECONDS, Transport

NO_MESSAGE = "no message"
ABSENT = object()  # the `next` of a list without that field


class RequestBudget:
    """Limits how many requests may be sent."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self) -> None:
        """Count one request that is about to be sent. Raises: RequestError when none is left."""
        if self.used >= self.limit:
            raise RequestError(f"The {self.limit} requests that were allowed are used up.")
        self.used += 1


@dataclass(frozen=True, slots=True)
class RawPage:
    """A list as it was sent. `bare`: it is an array without `next` and `total`."""

    rows: tuple[dict[str, object], ...]
    next: object
    total: int | None
    bare: bool

    @property
    def ids(self) -> list[int]:
        """The ids of the rows in their order."""
        return [found for row in self.rows if (found := integer_of(row.get("id"))) is not None]


@dataclass(frozen=True, slots=True)
class RawResponse:
    """One answer. Header names are in lower case. `json` is valid only if `body` is "json".

    `redirects` are the targets that were followed. `unfollowed` is set if the answer is a redirect that was not
    followed: the token is not sent to another host.
    """

    status: int
    headers: Mapping[str, str]
    body: Literal["json", "a web page", "empty", "not JSON"]
    json: object
    redirects: tuple[str, ...]
    unfollowed: Literal["same host", "another host"] | None
    sent_at: datetime
    received_at: datetime

    def __str__(self) -> str:
        """The kind of the answer, without its content."""
        if self.unfollowed is not None:
            there = " to another host" if self.unfollowed == "another host" else ""
            return f"a redirect (HTTP {self.status}){there}"
        if self.body != "json":
            return f"HTTP {self.status}, {self.body}"
        if not self.enveloped:
            return f"HTTP {self.status}, without Liner's envelope"
        failed = 200 <= self.status < 300 and not self.succeeded
        return f"HTTP {self.status}" + (" with success false or without data" if failed else "")

    @property
    def envelope(self) -> dict[str, object]:
        """The JSON object; an empty one for other answers."""
        sent = self.json
        return cast("dict[str, object]", sent) if isinstance(sent, dict) else {}

    @property
    def enveloped(self) -> bool:
        """Whether the answer has Liner's envelope. Other answers may come from a gateway."""
        return self.unfollowed is None and "success" in self.envelope

    @property
    def succeeded(self) -> bool:
        """Whether the request succeeded, by its status and by `success`."""
        good = self.envelope.get("success") in (True, 1, "1", "true") and "data" in self.envelope
        return 200 <= self.status < 300 and good

    @property
    def refused(self) -> bool:
        """Whether Liner refused the request itself. A missing right, a rate limit or a failure does not count."""
        if 200 <= self.status < 300:
            return "success" in self.envelope and not self.succeeded
        return 400 <= self.status < 500 and self.status not in (401, 403, 429)

    @property
    def message_length(self) -> str:
        """The length of Liner's message. Its content may name a person even if it is masked."""
        message = self.envelope.get("message")
        if not isinstance(message, str) or not message.strip():
            return NO_MESSAGE
        script = "Cyrillic" if re.search("[\u0400-\u04ff]", message) else "Latin"
        return f"a message of {len(message.strip())} characters in {script} letters"

    @property
    def clock_ahead(self) -> float | None:
        """How many seconds Liner's clock is ahead of ours; None without a Date header."""
        moment = parse_http_date(self.headers.get("date"))
        if moment is None:
            return None
        middle = self.sent_at + (self.received_at - self.sent_at) / 2
        return (moment - middle).total_seconds() + 0.5  # Date drops the fraction, half a second on average

    @property
    def data(self) -> object:
        """The data of a successful answer, else None."""
        return self.envelope["data"] if self.succeeded else None

    @property
    def page(self) -> RawPage | None:
        """The list in a successful answer, a page or a bare array, else None."""
        data = self.data
        if isinstance(data, list):
            rows = _objects(cast("list[object]", data))
            return RawPage(rows, ABSENT, len(rows), bare=True)
        page = cast("dict[str, object]", data) if isinstance(data, dict) else {}
        rows = page.get("list")
        if not isinstance(rows, list):
            return None
        total = integer_of(page.get("total"))
        return RawPage(_objects(cast("list[object]", rows)), page.get("next", ABSENT), total, bare=False)


class RawClient:
    """GET requests through one transport, with one budget."""

    def __init__(self, transport: Transport, origin: str, budget: RequestBudget) -> None:
        self._transport = transport
        self._origin = origin
        self.budget = budget

    async def get(self, query: Query, *, follow: bool = True) -> RawResponse:
        """The answer, also a failure or a web page. `follow`: redirects on the same host are followed.

        Raises: RequestError when the budget is used up; InvalidResponse for a body above the size limit; RateLimited
        when a pause does not end in time; CircuitOpen, Unreachable, ConnectionClosed, SettingsError.
        """
        target, followed = query.target, list[str]()
        try:
            with anyio.fail_after(REQUEST_TIMEOUT_SECONDS):
                while True:
                    self.budget.take()
                    sent_at = datetime.now(UTC)
                    response, body = await self._transport.get_once(target)
                    received_at = datetime.now(UTC)
                    location = redirect_location(response)
                    there = None if location is None else same_origin_target(self._origin, target, location)
                    if there is None or not follow or len(followed) == MAX_REDIRECTS:
                        unfollowed = None if location is None else "same host" if there else "another host"
                        sent = (response.status_code, dict(response.headers), *_decode(body))
                        return RawResponse(*sent, tuple(followed), unfollowed, sent_at, received_at)
                    followed.append(there)
                    target = there
        except TimeoutError:
            raise Unreachable(f"Liner did not answer within {REQUEST_TIMEOUT_SECONDS:.0f} s.") from None


def _objects(rows: list[object]) -> tuple[dict[str, object], ...]:
    return tuple(cast("dict[str, object]", row) for row in rows if isinstance(row, dict))


def _decode(body: bytes) -> tuple[Literal["json", "a web page", "empty", "not JSON"], object]:
    first = first_visible_byte(body)
    if not first:
        return "empty", None
    try:
        return "json", json.loads(body)
    except (ValueError, RecursionError):
        return ("a web page" if first == b"<" else "not JSON"), None
