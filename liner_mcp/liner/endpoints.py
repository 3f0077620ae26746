"""The paths and parameters of Liner's API. No I/O and no HTTP library.

Source: docs.linerapp.io, the method pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from pydantic.alias_generators import to_camel

PAGE_LIMIT = 100  # Liner's documented maximum of `limit`

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
        """The query for one page."""
        return Query(self.path, (*self.params, ("offset", str(offset)), ("limit", str(limit))))

    @property
    def target(self) -> str:
        """Path and percent-encoded query, as sent in the request line."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list. Liner requires `order_ids` or `lead_ids`; both ends of the window are included.

    /devs/api/v2/call/list/
    """

    since: datetime
    until: datetime
    order_ids: tuple[int, ...] = ()
    lead_ids: tuple[int, ...] = ()
    user_ids: tuple[int, ...] = ()
    status_ids: tuple[int, ...] = ()

    def query(self) -> Query:
        """The query. Times are in UTC with whole seconds, the only form in the documentation."""
        window = [("createdAt[0]", self.since), ("createdAt[1]", self.until)]
        params = [(name, f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") for name, moment in window]
        for name in ("order_ids", "lead_ids", "user_ids", "status_ids"):
            ids: tuple[int, ...] = getattr(self, name)
            params += [(f"{to_camel(name)}[]", str(item)) for item in ids]
        return Query(CALLS, tuple(params))
