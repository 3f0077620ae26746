"""The reads that answers are made of, as a protocol. `LinerClient` implements it over HTTP.

What is not in the protocol does not exist for an answer or for a caller with access rules: no transport, no raw answer,
no health check, no closing. Such a caller gets `RestrictedClient`, which wraps another implementation.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, CallStatus, Lead, LeadStatus, Order, User
from liner_mcp.liner.pagination import Listing

T = TypeVar("T")

Read = Coroutine[Any, Any, T]
"""What an `async def` returns, and a function that hands on the read of another client."""


class LinerReads(Protocol):
    """Typed reads of Liner. Every method raises errors of `liner_mcp.errors`; the caller's deadline bounds it."""

    @property
    def concurrency(self) -> int:
        """How many requests can run at once; more reads than that only wait for each other."""
        ...

    async def call(self, call_id: int) -> Call:
        """One call. Raises NotFound for an unknown id."""
        ...

    def calls(self, which: CallFilter, *, at_most: int | None = None) -> Read[Listing[Call]]:
        """All calls of a closed window, in no order.

        When Liner counts or lists more than `at_most`, the read ends there, and the listing is incomplete.
        """
        ...

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:
        """One call record with all its fields. Raises NotFound for an unknown id.

        `fresh` requests it even where it is cached: the link to its file may have expired.
        """
        ...

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        """All records of one call, in Liner's order. An unknown call gives an empty listing or NotFound.

        Raises: InvalidResponse when Liner sends records of other calls too.
        """
        ...

    async def lead(self, lead_id: int) -> Lead:
        """One lead. Raises NotFound for an unknown id."""
        ...

    def orders(self, *, at_most: int | None = None) -> Read[Listing[Order]]:
        """Every order that Liner lists; whether archived orders are among them is undocumented.

        `at_most` as for `calls`.
        """
        ...

    def users(self) -> Read[Listing[User]]:
        """Every person with a login, inactive ones included: old calls carry their ids."""
        ...

    def agent_groups(self) -> Read[Listing[AgentGroup]]:
        """Every group of agents with its members."""
        ...

    def call_statuses(self) -> Read[Listing[CallStatus]]:
        """The dictionary of call statuses."""
        ...

    def lead_statuses(self) -> Read[Listing[LeadStatus]]:
        """The dictionary of lead statuses."""
        ...
