"""The demo Liner behind a bend, with its data before and after a change."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.demo.app import Response, Scope
from tests.claims.bends import CALLS, Bend
from tests.claims.changes import claims_dataset
from tests.fakes.exchange import Request

LISTED_PAGES = 1
"""Pages of call lists after which the data changes, where it changes while Liner's pages are read."""


class BentLiner(DemoLiner):
    """A Liner that deviates. `advance` brings the change of its data, once."""

    def __init__(self, bend: Bend) -> None:
        super().__init__(_dataset())
        self.bend = bend
        self.before = self.dataset
        self.after = self.before
        self.requests: list[str] = []
        self._pages = 0
        if bend.change is not None:
            self.after = _changed(bend.change)
            if bend.moment == "start":
                self.before = self.after
                self.advance()

    def advance(self) -> None:
        self._dataset = self.after

    def rewind(self) -> None:
        """The next question meets the data as it was before the change."""
        self._pages = 0
        if self.bend.moment != "start":
            self._dataset = self.before

    def respond(self, scope: Scope) -> Response:
        request = Request.of(scope)
        self.requests.append(f"{request.path}?{scope['query_string'].decode()}")

        def inner(asked: Request) -> Response:
            return super(BentLiner, self).respond(asked.to_scope())

        response = self.bend.respond(request, inner, self.dataset)
        if request.path == CALLS and self.bend.moment == "after Liner's first page":
            self._pages += 1
            if self._pages == LISTED_PAGES:
                self.advance()
        return response


# Nothing changes a dataset once it is made, so all Liners share them.
_dataset = cache(claims_dataset)


@cache
def _changed(change: Callable[[Dataset], None]) -> Dataset:
    changed = claims_dataset()
    change(changed)
    return changed
