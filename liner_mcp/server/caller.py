"""The caller of a request. Authentication stores it; rate limits, access rules and logs read it here.

Over stdio there is one user and no caller. Over HTTP the caller is stored in the request's ASGI scope, because the SDK
may run a request in another task, where the web server's context variables are not set.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context

SCOPE_KEY = "liner_mcp.caller"
"""The key of a request's `Caller` in its ASGI scope."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the name in tokens, access rules and logs. It never holds a token."""

    name: str


_caller: ContextVar[Caller | None] = ContextVar("liner_mcp_caller", default=None)


def caller() -> Caller | None:
    """The caller of the current request; None over stdio, and over HTTP without authentication."""
    return _caller.get()


@contextmanager
def set_caller(who: Caller | None) -> Generator[None]:
    """Set `caller()` within the block and in tasks started there."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)


def caller_from(context: Context[None, Any] | None) -> AbstractContextManager[None]:
    """Set `caller()` within the block to the caller of this context's HTTP request, if there is one."""
    request = None if context is None else context.request_context.request
    return nullcontext() if request is None else set_caller(request.scope.get(SCOPE_KEY))
