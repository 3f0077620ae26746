"""The caller of a request. Authentication stores it; rate limits, access rules and logs read it here.

Over stdio there is one person and no caller. Over HTTP the caller travels in the request's ASGI scope, because the SDK
may run a request in a task of its own, where context variables of the web server do not reach.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context

SCOPE_KEY = "liner_mcp.caller"
"""Where in the ASGI scope of an authenticated request its `Caller` stands."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the name under which tokens, access rules and logs know them. Never a token."""

    name: str


_caller: ContextVar[Caller | None] = ContextVar("liner_mcp_caller", default=None)


def caller() -> Caller | None:
    """Who asks the question that is being answered; None over stdio, and over HTTP without authentication."""
    return _caller.get()


@contextmanager
def set_caller(who: Caller | None) -> Generator[None]:
    """While the block runs, and in tasks begun in it, `caller()` is `who`."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)


def caller_from(context: Context[None, Any] | None) -> AbstractContextManager[None]:
    """While the block runs, `caller()` is whoever sent the HTTP request of this context, if there is one."""
    request = None if context is None else context.request_context.request
    return nullcontext() if request is None else set_caller(request.scope.get(SCOPE_KEY))
