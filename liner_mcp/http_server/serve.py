"""`serve --http`: listens, logs what is not set, then serves with one process or with several."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from liner_mcp import __version__
from liner_mcp.errors import SettingsError, UsageError
from liner_mcp.http_server.listen import endpoint_url, open_listener
from liner_mcp.json_logging import configure_logging, log_lifecycle
from liner_mcp.settings import Settings

logger = logging.getLogger(__name__)

MAX_WORKERS = 64  # more than any machine's processors, so a larger number is a typing error


def serve_http(
    settings: Settings,
    address: str,
    *,
    workers: int,
    on_ready: Callable[[str], None],
    sync_seconds: float | None = None,
) -> int:
    """Serve until a signal to stop and return the exit code. `on_ready` gets the URL when requests are answered.

    `sync_seconds`: sync the archive so often.

    Raises: UsageError for the address or the number of workers, SetupError if the settings cannot be used.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers is a number from 1 to {MAX_WORKERS}.")
    if workers > 1 and os.name != "posix":
        raise UsageError("--workers needs a Unix system. Leave it out to serve with one process.")
    with open_listener(address, settings) as listener:
        url = endpoint_url(listener, settings)
        configure_logging(settings.mcp_log or "json")
        for problem in problems(settings):
            logger.warning("%s", problem)

        def ready() -> None:
            log_lifecycle("start", url=url, version=__version__, workers=workers)
            on_ready(url)

        if workers > 1:
            # The parent of the workers does not import the server, which is large.
            from liner_mcp.http_server.workers import supervise

            return supervise(settings, listener, count=workers, on_ready=ready, sync_seconds=sync_seconds)

        from liner_mcp.http_server.server import run

        run(settings, listener, on_ready=ready, sync_seconds=sync_seconds)
        return 0


def problems(settings: Settings) -> list[str]:
    """What an operator should know before the first call: the demo, misspelt and missing settings; a sentence each."""
    found = settings.startup_notices
    if settings.demo:
        return found
    try:
        settings.host_and_token()
    except SettingsError as error:
        found.append(str(error))
    if settings.mcp_tokens_file is None and settings.mcp_oauth_issuer is None:
        found.append(
            "There is no authentication, so every program on this machine can read calls. Set LINER_MCP_TOKENS_FILE or "
            "LINER_MCP_OAUTH_ISSUER to change that."
        )
    if settings.timezone is None:
        found.append("LINER_TIMEZONE is not set, so days and times are those of this machine's zone.")
    return list(dict.fromkeys(found))
