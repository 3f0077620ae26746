"""The paths and parameters of Liner's API. No I/O and no HTTP library.

Source: docs.linerapp.io, the method pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from pydantic.alias_generators import to_camel

PAGE_LIMIT = 100  # Liner's documented maximum of `limit`
MAX_TARGET_CHARACTERS = 1_900  # characters of a request line; servers and proxies are known to refuse from 2,000 on
MAX_IDS = 50  # ids of one parameter: Liner documents no limit, and may have one

OTHER_ACCOUNT = "LINER_API_HOST or the token may belong to another account"  # in notes on ids that are not found

# In the headings of the documentation every path ends with a slash.
HEALTH = "/v1/health/check/"
CALLS = "/v2/call/"
CALL_RECORDS = "/v2/call-record/"
ORDERS = "/v2/order/"
USERS = "/v2/user/list/"
AGENT_GROUPS = "/v2/agent-group/"
# The documentation has the singular in headings and the plural in samples. They are tried in this order.
CALL_STATUSES = ("/v2/call-status/", "/v2/call-statuses/")
LEAD_STATUSES = ("/v2/lead-status/", "/v2/lead-statuses/")

# Requests about one id. The list of records names a call, so a 404 there can mean that there is no such call.
_CALL, _LEAD, _CALL_RECORD = "/v2/call/detail/", "/v2/lead/detail/", "/v2/call-record/detail/"
PATHS_NAMING_AN_ID = (_CALL, _LEAD, _CALL_RECORD, f"{CALL_RECORDS}?callId=")


def call_detail(call_id: int) -> str:
    """/devs/api/v2/call/detail/"""
    return f"{_CALL}{call_id:d}/"


def lead_detail(lead_id: int) -> str:
    """/devs/api/v2/lead/detail/"""
    return f"{_LEAD}{lead_id:d}/"


def call_record_detail(record_id: int) -> str:
    """/devs/api/v2/call-record/detail/"""
    return f"{_CALL_RECORD}{record_id:d}/"


@dataclass(frozen=True, slots=True)
class Query:
    """One GET request: a path and its parameters in order. Names of arrays include the brackets (`orderIds[]`)."""

    path: str
    params: tuple[tuple[str, str], ...] = ()

    def page(self, offset: int, limit: int) -> Query:
        return Query(self.path, (*self.params, ("offset", str(offset)), ("limit", str(limit))))

    @property
    def target(self) -> str:
        """Path and percent-encoded query, as sent in the request line."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list. Liner requires `order_ids` or `lead_ids`; both ends of the window are included.

    `transferred`, `has_summary` and `mentions` are hints that Liner does not have: a list may leave out calls that
    certainly do not pass these filters. The caller checks each call anyway.
    /devs/api/v2/call/list/
    """

    since: datetime
    until: datetime
    order_ids: tuple[int, ...] = ()
    lead_ids: tuple[int, ...] = ()
    user_ids: tuple[int, ...] = ()
    status_ids: tuple[int, ...] = ()
    transferred: bool | None = None
    has_summary: bool | None = None
    mentions: str | None = None

    @property
    def hinted(self) -> bool:
        return not (self.transferred is None and self.has_summary is None and self.mentions is None)

    def query(self) -> Query:
        """The query. Times are in UTC with whole seconds, the only form in the documentation."""
        window = [("createdAt[0]", self.since), ("createdAt[1]", self.until)]
        params = [(name, f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") for name, moment in window]
        for name in ("order_ids", "lead_ids", "user_ids", "status_ids"):
            ids: tuple[int, ...] = getattr(self, name)
            params += [(f"{to_camel(name)}[]", str(item)) for item in ids]
        return Query(CALLS, tuple(params))

    @property
    def target_length(self) -> int:
        """The characters of the longest request for a page."""
        return len(self.query().page(100_000, PAGE_LIMIT).target)

    def split(self) -> list[CallFilter]:
        """Filters whose lists together are the list of this one, each short enough for a request."""
        bare = replace(self, order_ids=(), lead_ids=(), user_ids=())
        by_agents = bare.with_chunks("user_ids", self.user_ids, (MAX_TARGET_CHARACTERS - bare.target_length) // 2)
        name, ids = ("lead_ids", self.lead_ids) if self.lead_ids else ("order_ids", self.order_ids)
        return [
            part
            for which in by_agents
            for part in which.with_chunks(name, ids, MAX_TARGET_CHARACTERS - which.target_length)
        ]

    def with_chunks(self, name: str, ids: tuple[int, ...], room: int) -> list[CallFilter]:
        """This filter once for each run of ids whose parameters fit `room` characters; without ids, itself."""
        return [replace(self, **{name: chunk}) for chunk in _chunks(name, ids, room)] or [self]


def _chunks(name: str, ids: tuple[int, ...], room: int) -> Iterator[tuple[int, ...]]:
    chunk: list[int] = []
    used = 0
    for one in dict.fromkeys(ids):  # each id once: Liner would count the calls of an id in two chunks twice
        cost = len(f"&{to_camel(name)}%5B%5D={one}")
        if chunk and (used + cost > room or len(chunk) == MAX_IDS):
            yield tuple(chunk)
            chunk, used = [], 0
        chunk.append(one)
        used += cost
    if chunk:
        yield tuple(chunk)
