"""What `serve --http` does: listen, then serve with one process or with several. The command line's entry point."""

from __future__ import annotations

import os
from collections.abc import Callable

from liner_mcp.errors import SetupError
from liner_mcp.http_server.listen import endpoint_url, open_listener
from liner_mcp.settings import Settings

MAX_WORKERS = 64  # far more than processors; a typing error beyond


def serve_http(settings: Settings, address: str, *, workers: int, on_ready: Callable[[str], None]) -> int:
    """Serve until a signal to stop; the exit code. `on_ready` is called with the URL once requests are answered.

    Raises: SetupError when the address, the workers or the settings cannot be used.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise SetupError(f"--workers is a number from 1 to {MAX_WORKERS}.")
    if workers > 1 and os.name != "posix":
        raise SetupError("--workers needs a Unix system. Leave it out to serve with one process.")
    with open_listener(address, settings) as listener:
        where = endpoint_url(listener, settings)
        if workers > 1:
            # The parent of workers needs nothing of what serves, which is large.
            from liner_mcp.http_server.workers import supervise

            return supervise(settings, listener, count=workers, on_ready=lambda: on_ready(where))

        from liner_mcp.http_server.server import run

        run(settings, listener, on_ready=lambda: on_ready(where))
        return 0
