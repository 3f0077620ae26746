"""/health and /ready, for programs that start, stop and choose processes.

They need no host name and no token, so they reveal neither the host nor what Liner said. /ready has `demo` if the data
is invented, so that monitoring notices a demo that was started by mistake.
"""

from __future__ import annotations

from time import monotonic

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.errors import LinerMcpError, SetupError
from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import Limits
from liner_mcp.server.runtime import Runtime

HEALTH, READY = "/health", "/ready"


class HealthChecks:
    """Answers these two paths itself and passes everything else on."""

    def __init__(self, app: ASGIApp, runtime: Runtime, limits: Limits) -> None:
        self._app = app
        self._runtime = runtime
        self._seconds = limits.probe_seconds
        self._ready_seconds = limits.ready_seconds
        self._reason: str | None = None
        self._check_again_at = 0.0
        self._lock = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in (HEALTH, READY):
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await error_response(405, f"{scope['path']} can only be read.", allow="GET, HEAD")(scope, receive, send)
        elif scope["path"] == HEALTH:
            await JSONResponse({"alive": True})(scope, receive, send)
        else:
            reason = await self._not_ready_reason()
            body: dict[str, bool | str] = {"ready": True} if reason is None else {"ready": False, "because": reason}
            if self._runtime.listed.demo:
                body["demo"] = True
            await JSONResponse(body, 200 if reason is None else 503)(scope, receive, send)

    async def _not_ready_reason(self) -> str | None:
        """The result of `_check`, good or bad, for `ready_seconds`. One check runs at a time."""
        async with self._lock:
            if monotonic() >= self._check_again_at:
                self._reason = await self._check()
                self._check_again_at = monotonic() + self._ready_seconds
            return self._reason

    async def _check(self) -> str | None:
        """Why no call could be answered: `settings`, `liner`, or None."""
        try:
            with anyio.fail_after(self._seconds):
                await self._runtime.check_liner()
        except SetupError:
            return "settings"  # a setting is missing, or Liner refuses the token
        except (LinerMcpError, TimeoutError):
            return "liner"
        return None
