"""One request to the demo Liner and its answer, in a form that is easy to change."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from liner_mcp.demo import serialization
from liner_mcp.demo.app import Response, Scope
from liner_mcp.demo.query import DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Request:
    """A path and its parameters; `scope` has the rest."""

    scope: Scope
    path: str
    """Without the slash at its end."""
    params: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, scope: Scope) -> Request:
        query: bytes = scope.get("query_string", b"")
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        return cls(scope, scope["path"].removesuffix("/"), tuple(pairs))

    def to_scope(self) -> Scope:
        slash = "/" if self.scope["path"].endswith("/") else ""
        return {**self.scope, "path": self.path + slash, "query_string": urlencode(self.params).encode()}

    def has(self, *names: str) -> bool:
        return any(_base(name) in names for name, _ in self.params)

    def number(self, name: str, default: int) -> int:
        return int(dict(self.params).get(name, default))

    @property
    def offset(self) -> int:
        return self.number("offset", 0)

    @property
    def limit(self) -> int:
        return self.number("limit", DEFAULT_LIMIT)

    def without(self, names: Collection[str]) -> Request:
        """The same request without these parameters, of which a list has all its members left out."""
        return replace(self, params=tuple(pair for pair in self.params if _base(pair[0]) not in names))

    def setting(self, **values: int) -> Request:
        kept = self.without(values)
        return replace(kept, params=(*kept.params, *((name, str(value)) for name, value in values.items())))


Respond = Callable[[Request], Response]


def json_data(response: Response) -> Any:
    """The `data` of a successful JSON answer, otherwise None."""
    if response.status != 200 or response.content_type != "application/json":
        return None
    return json.loads(response.body)["data"]


def page_of(response: Response) -> dict[str, Any] | None:
    """The `data` of an answer that is one page of a list, otherwise None."""
    data = json_data(response)
    return cast("dict[str, Any]", data) if isinstance(data, dict) and "list" in data else None


def success(data: object) -> Response:
    return Response(200, serialization.encode_json({"success": True, "message": "", "data": data}))


def detail_of(path: str) -> bytes:
    """A successful answer about the id at the end of a path, with no other field."""
    return f'{{"success":true,"data":{{"id":{path.rstrip("/").rpartition("/")[2]}}}}}'.encode()


def refusal(status: int, message: str) -> Response:
    return Response(status, serialization.encode_json({"success": False, "message": message, "data": None}))


def with_any_order(request: Request, order_ids: Collection[int]) -> Request:
    """The request for calls of all orders. Liner demands that a request for calls names orders or leads."""
    named = tuple(("orderIds[]", str(order_id)) for order_id in order_ids)
    return replace(request, params=(*request.params, *named))


def _base(name: str) -> str:
    return name.partition("[")[0]
