"""`serve --http`: listens, then serves with one process or with several."""

from __future__ import annotations

import os
from collections.abc import Callable

from liner_mcp.errors import UsageError
from liner_mcp.http_server.listen import endpoint_url, open_listener
from liner_mcp.settings import Settings

MAX_WORKERS = 64  # more than any machine's processors, so a larger number is a typing error


def serve_http(settings: Settings, address: str, *, workers: int, on_ready: Callable[[str], None]) -> int:
    """Serve until a signal to stop and return the exit code. `on_ready` gets the URL when requests are answered.

    Raises: UsageError for the address or the number of workers, SetupError if the settings cannot be used.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers is a number from 1 to {MAX_WORKERS}.")
    if workers > 1 and os.name != "posix":
        raise UsageError("--workers needs a Unix system. Leave it out to serve with one process.")
    with open_listener(address, settings) as listener:
        url = endpoint_url(listener, settings)
        if workers > 1:
            # The parent of the workers does not import the server, which is large.
            from liner_mcp.http_server.workers import supervise

            return supervise(settings, listener, count=workers, on_ready=lambda: on_ready(url))

        from liner_mcp.http_server.server import run

        run(settings, listener, on_ready=lambda: on_ready(url))
        return 0
