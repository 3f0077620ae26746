"""What a client of the older protocol declared in `initialize` about MCP Apps, repeated by the client itself.

That protocol declares it once, and this server keeps no sessions. So the answer to such an `initialize` has a session
id that says this and nothing else. Clients send it with every later request. It grants nothing, and any process
understands it.
"""

from __future__ import annotations

from uuid import uuid4

from pydantic_core import from_json
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.server.view import APPS_KEY, initialize_declares_apps

SESSION_HEADER = "mcp-session-id"
SESSION_PREFIX = "apps-"  # a unique part follows, as the protocol asks for


class DeclaredApps:
    """Marks the requests of clients that declared MCP Apps in `initialize`. Bodies arrive as one message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Headers(scope=scope).get(SESSION_HEADER, "").startswith(SESSION_PREFIX):
            scope = {**scope, APPS_KEY: True}
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        declares = _declares_apps(messages[0].get("body", b""))

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        async def with_session(message: Message) -> None:
            if declares and message["type"] == "http.response.start":
                MutableHeaders(scope=message)[SESSION_HEADER] = f"{SESSION_PREFIX}{uuid4().hex}"
            await send(message)

        await self._app(scope, again, with_session)


def _declares_apps(body: bytes) -> bool:
    if b'"initialize"' not in body:
        return False
    try:
        return initialize_declares_apps(from_json(body))
    except ValueError:
        return False
