"""What the MCP layer records about an HTTP request, for the log line at the end of the request.

The web server puts a `RequestInfo` into the request's ASGI scope. The method and the name are in the body, which only
the SDK parses, so an SDK middleware records them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from liner_mcp.server.log_redaction import (
    client_name,
    known_method,
    known_resource,
    known_tool_or_prompt,
    protocol_version,
)

REQUEST_INFO_KEY = "liner_mcp.request_info"
"""The key of a request's `RequestInfo` in its ASGI scope."""


@dataclass(slots=True)
class RequestInfo:
    """A request's id, and what is known about the request so far."""

    request_id: str
    caller: str | None = None
    auth_error: str | None = None
    protocol: str | None = None
    method: str | None = None
    name: str | None = None
    client: str | None = None


async def record_request_info(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware for the SDK: fills in the `RequestInfo` of the HTTP request, if there is one."""
    info = None if ctx.request is None else ctx.request.scope.get(REQUEST_INFO_KEY)
    if isinstance(info, RequestInfo):
        params = ctx.params or {}
        info.method = known_method(ctx.method)
        if info.method == "resources/read":
            info.name = known_resource(str(params.get("uri")))[0]
        else:
            info.name = known_tool_or_prompt(info.method, params.get("name"))
        info.protocol = protocol_version(ctx.protocol_version)
        info.client = client_name(_client_name(ctx))
    return await call_next(ctx)


def _client_name(ctx: ServerRequestContext[Any, Any]) -> str | None:
    """The client's name. In the older protocol only `initialize` has it, because there are no sessions."""
    if ctx.session.client_params is not None:
        return ctx.session.client_params.client_info.name
    match ctx.params:
        case {"clientInfo": {"name": str(name)}} if ctx.method == "initialize":
            return name
        case _:
            return None
