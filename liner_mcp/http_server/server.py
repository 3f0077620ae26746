"""One process that serves the web application.

At a signal to stop, it closes its listener, lets running calls finish within their deadline, and ends with 0. At a
second signal it ends at once.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn
from sse_starlette.sse import AppStatus

from liner_mcp.http_server.app import WebApp, create_web_app
from liner_mcp.http_server.connection import Connections
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.http_server.listen import BACKLOG
from liner_mcp.json_logging import log_lifecycle
from liner_mcp.server.audit_log import ServerObserver
from liner_mcp.server.clients import demo_transport
from liner_mcp.settings import Settings
from liner_mcp.telemetry import start_telemetry


def run(
    settings: Settings,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None],
    sync_seconds: float | None = None,
    parent_pid: int | None = None,
) -> None:
    """Serve in this process, whose logging is configured. `parent_pid` is the parent of a worker.

    `sync_seconds`: sync the archive so often.
    """
    # Otherwise the first signal ends every stream. Without sessions each stream ends by itself, with its answer.
    AppStatus.disable_automatic_graceful_drain()
    # A caller's mistake is answered, and needs no log line.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    telemetry = start_telemetry(os.environ)
    app = _create_app(settings, telemetry, sync_seconds)
    connections = Connections(LIMITS, LIMITS.request_seconds(settings.deadline_seconds))
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - uvicorn's own ASGI types
        http=connections.protocol,
        ws="none",
        loop="auto",  # uvloop where it is installed
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # uvicorn would trust every local program; app.py trusts the proxies of the settings
        server_header=False,
        backlog=1,  # connections that asyncio accepts at a time: with more, one worker gets a whole burst
        timeout_keep_alive=LIMITS.idle_seconds,
        timeout_graceful_shutdown=math.ceil(LIMITS.stop_seconds(settings.deadline_seconds)),
    )
    try:
        Server(config, app, on_ready=on_ready, parent_pid=parent_pid).run(sockets=[listener])
    finally:
        if telemetry is not None:
            telemetry.close()
    if parent_pid is None:
        log_lifecycle("stopped")


def _create_app(settings: Settings, observer: ServerObserver | None, sync_seconds: float | None) -> WebApp:
    if sync_seconds is None:
        return create_web_app(settings, observer=observer)

    from liner_mcp.server.archive_sync import syncing  # it needs the extra `archive`

    transport = demo_transport() if settings.demo else None  # the answers and the archive are of the same demo
    background = partial(syncing, settings, sync_seconds, transport)
    return create_web_app(settings, transport=transport, observer=observer, background=background)


class Server(uvicorn.Server):
    """uvicorn's server, which also warms up before it listens, and stops as described above."""

    def __init__(
        self, config: uvicorn.Config, app: WebApp, *, on_ready: Callable[[], None], parent_pid: int | None = None
    ) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._parent_pid = parent_pid

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Before it listens. Otherwise the first request of each process waits for this and delays all others.
        self._app.runtime.warm_up()
        # The objects that are loaded now stay. Without this the garbage collector visits all of them again and again:
        # a tenth of a second with fifty requests at once.
        gc.collect()
        gc.freeze()
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # uvicorn has set it to `backlog`
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._parent_pid is None:  # not in the handler of the signal, which may interrupt another line
            log_lifecycle("stopping", at_most_seconds=self.config.timeout_graceful_shutdown)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._parent_pid is not None and os.getppid() != self._parent_pid:
            self.stop()  # the parent was killed and cannot send a signal
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is uvicorn's
        # A worker may get a service manager's signal twice, once from its parent. The parent ends it if it has to.
        if self._parent_pid is None and self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self.stop()

    def stop(self) -> None:
        self._app.drain()
        self.should_exit = True
