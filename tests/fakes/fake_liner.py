"""The demo Liner for tests: it counts its requests, may be slow, follow another `ApiVariant`, and have faults."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.demo.app import Response, Scope, Send
from tests.fakes.api_variants import ApiVariant
from tests.fakes.exchange import Request
from tests.fakes.fault_injection import ActiveFaults, FaultInjector, send_response
from tests.fakes.faults import Fault


class FakeLiner(DemoLiner):
    """Every option may be changed between two requests. `variant` are fields of `ApiVariant`."""

    def __init__(
        self,
        dataset: Dataset | None = None,
        *,
        token: str = "demo",  # noqa: S107 - it guards no secret
        latency: float = 0.0,
        faults: Sequence[Fault] = (),
        **variant: Any,
    ) -> None:
        super().__init__(dataset, token=token)
        self.latency = latency
        self.variant = ApiVariant(**variant)
        self.requests: list[str] = []
        """Every requested target, as it was sent, in order of arrival."""
        self.peak_in_flight = 0
        self._in_flight = 0
        self._injector = FaultInjector(faults)

    @property
    def faults(self) -> Sequence[Fault]:
        """What goes wrong. Set anew, each fault counts its requests from the beginning."""
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self._injector = FaultInjector(faults)

    def count(self, part: str) -> int:
        """How many requests had `part` in their target."""
        return sum(part in target for target in self.requests)

    async def serve(self, scope: Scope, send: Send) -> None:
        target = _target(scope)
        self.requests.append(target)
        active = self._injector.next(target)
        self._in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
        try:
            clock = asyncio.get_running_loop().time
            answered = clock() + self.latency + active.latency
            response = active.apply(self._respond_with(active, scope), target, datetime.now(UTC))
            # The latency is what an answer takes in all, the work on it included. Without a pause, even one of no time,
            # requests made at once would be served one by one.
            await asyncio.sleep(max(0.0, answered - clock()))
            await send_response(response, send)
        finally:
            self._in_flight -= 1

    def _respond_with(self, active: ActiveFaults, scope: Scope) -> Response:
        if not active.lists and self.variant == ApiVariant():
            return self.respond(scope)
        order_ids = [order.id for order in self.dataset.orders]

        def demo(request: Request) -> Response:
            return self.respond(request.to_scope())

        def faulty(request: Request) -> Response:
            return active.lists.respond(request, demo, order_ids)

        return self.variant.respond(Request.of(scope), faulty, order_ids)


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    target = path.partition(b"?")[0] + (b"?" + query if query else b"")
    return target.decode("latin-1")
