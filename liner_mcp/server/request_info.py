"""What the answering side notes about an HTTP request, for the line that is written when the request is over.

The web server puts a `Noted` into the request's ASGI scope. The method and the name stand in a body that only the SDK
reads, so they are noted where the SDK has read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from liner_mcp.server.log_redaction import client_name, method_of, protocol_version, resource_of, tool_or_prompt

NOTED_KEY = "liner_mcp.noted"
"""Where in the ASGI scope of a request its `Noted` stands."""


@dataclass(slots=True)
class Noted:
    """One request: its id, and what became known about it on the way."""

    request_id: str
    caller: str | None = None
    protocol: str | None = None
    method: str | None = None
    name: str | None = None
    client: str | None = None


async def noting(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware of the SDK: fills in the `Noted` of the HTTP request, if there is one."""
    noted = None if ctx.request is None else ctx.request.scope.get(NOTED_KEY)
    if isinstance(noted, Noted):
        params = ctx.params or {}
        noted.method = method_of(ctx.method)
        if noted.method == "resources/read":
            noted.name = resource_of(str(params.get("uri")))[0]
        else:
            noted.name = tool_or_prompt(noted.method, params.get("name"))
        noted.protocol = protocol_version(ctx.protocol_version)
        noted.client = client_name(_client(ctx))
    return await call_next(ctx)


def _client(ctx: ServerRequestContext[Any, Any]) -> str | None:
    """What the client calls itself, in the older protocol only where it introduces itself: there are no sessions."""
    if ctx.session.client_params is not None:
        return ctx.session.client_params.client_info.name
    match ctx.params:
        case {"clientInfo": {"name": str(name)}} if ctx.method == "initialize":
            return name
        case _:
            return None
