"""`liner-mcp serve`: MCP over stdio for the host that started it, or over HTTP for a team."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

from liner_mcp.cli.chosen_settings import (
    chosen_settings,
    chosen_settings_or_error,
    print_warnings,
    warn_of_misspelt_variables,
)
from liner_mcp.json_logging import configure_logging
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings

if TYPE_CHECKING:
    from liner_mcp.telemetry import Telemetry


def serve(options: argparse.Namespace) -> int:
    if options.http is not None:
        return _serve_http(options)
    if options.workers is not None:
        print("--workers is for --http HOST:PORT; over stdio there is one process.", file=sys.stderr)
        return 2

    settings = chosen_settings_or_error(options)
    readable = isinstance(settings, Settings)
    demo_notice = settings.demo_notice if readable else ""
    if sys.stdin.isatty():
        print(
            "liner-mcp is waiting for an MCP client on stdin; assistants start it themselves. "
            "For a first look: liner-mcp demo. To stop: Ctrl-C.",
            *filter(None, [demo_notice]),
            sep="\n",
            file=sys.stderr,
        )
    if readable and settings.mcp_log not in (None, "off"):
        configure_logging(settings.mcp_log, " ".join(settings.startup_notices))
    else:
        warn_of_misspelt_variables()
        print_warnings(settings.exposed_files() if readable else ())
    # Without a handler, the first process of a container ignores SIGTERM. A call under way has nothing to save.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    telemetry = _start_telemetry()

    def close() -> None:
        if telemetry is not None:
            telemetry.close()

    output = os.dup(sys.stdout.fileno())  # the SDK uses the descriptor itself for stderr while it serves

    def end() -> None:
        try:
            os.write(output, b"\n")
        except BrokenPipeError:  # the client is gone, and no one reads a sentence
            pass
        except OSError as error:
            print(f"stdout cannot be written ({error.strerror}), so the server ends.", file=sys.stderr)
        close()
        os._exit(1)

    try:
        anyio.run(create_server(settings, observer=telemetry).run_stdio_async, end)
    finally:
        close()
    return 0


def _start_telemetry() -> Telemetry | None:
    if not any(name.startswith("OTEL_") for name in os.environ):
        return None  # without an import, because a host waits for the start over stdio

    from liner_mcp.telemetry import start_telemetry

    return start_telemetry(os.environ)


def _serve_http(options: argparse.Namespace) -> int:
    from liner_mcp.http_server.serve import serve_http

    settings = chosen_settings(options)

    def announce(url: str) -> None:
        if settings.mcp_log == "off":  # otherwise the log has it
            print(f"liner-mcp serves MCP at {url}", file=sys.stderr, flush=True)

    workers = 1 if options.workers is None else options.workers
    return serve_http(settings, options.http, workers=workers, on_ready=announce)
