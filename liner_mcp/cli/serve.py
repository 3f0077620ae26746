"""`liner-mcp serve`: MCP over stdio for the host that started it, or over HTTP for a team."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from liner_mcp.cli.chosen_settings import (
    chosen_settings_or_error,
    print_warnings,
    warn_of_misspelt_variables,
)
from liner_mcp.errors import SettingsError, UsageError
from liner_mcp.json_logging import configure_logging
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings

if TYPE_CHECKING:
    from liner_mcp.telemetry import Telemetry


_UNITS = {"m": 60.0, "h": 3_600.0}
DEMO_SYNC_SECONDS = 86_400.0  # once: the data of the demo does not change while it is served


def serve(options: argparse.Namespace) -> int:
    if options.http is None and options.workers is not None:
        print("--workers is for --http HOST:PORT; over stdio there is one process.", file=sys.stderr)
        return 2
    if options.archive and not options.demo:
        raise UsageError("--archive is for --demo: it makes an archive of the demo. LINER_ARCHIVE names yours.")
    if not options.archive:
        return _serve(options, chosen_settings_or_error(options), _sync_seconds(options))
    with tempfile.TemporaryDirectory(prefix="liner-mcp-demo-", ignore_cleanup_errors=True) as folder:
        settings = Settings.of_demo_option(archive=Path(folder) / "calls.db")
        return _serve(options, settings, DEMO_SYNC_SECONDS, Path(folder))


def _sync_seconds(options: argparse.Namespace) -> float | None:
    return None if options.sync_every is None else interval_seconds("--sync-every", options.sync_every)


def interval_seconds(option: str, text: str) -> float:
    """`15m` or `2h` in seconds. Raises: UsageError that names the option."""
    if not re.fullmatch(r"[1-9]\d{0,3}[mh]", text):
        raise UsageError(f"{option} is a number of minutes or hours, such as 15m or 2h.")
    return int(text[:-1]) * _UNITS[text[-1]]


def _serve(
    options: argparse.Namespace,
    settings: Settings | SettingsError,
    sync_seconds: float | None,
    folder: Path | None = None,
) -> int:
    """`folder` is temporary: it holds the archive of the demo."""
    if sync_seconds is not None and isinstance(settings, Settings) and settings.archive is None:
        raise UsageError("--sync-every needs an archive. Set LINER_ARCHIVE to its file, such as ~/liner/calls.db.")
    if options.http is not None:
        return _serve_http(options, settings, sync_seconds)
    return _serve_stdio(settings, sync_seconds, folder)


def _serve_stdio(settings: Settings | SettingsError, sync_seconds: float | None, folder: Path | None) -> int:
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
    _end_at_signals(folder)
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
        _remove(folder)
        os._exit(1)

    try:
        anyio.run(_run_stdio, settings, telemetry, sync_seconds, end)
    finally:
        close()
    return 0


def _end_at_signals(folder: Path | None) -> None:
    """End at once: a call under way has nothing to save. `folder` is temporary and is removed."""

    def end(number: int, _: object) -> None:
        _remove(folder)
        os._exit(128 + number)

    # Without a handler, the first process of a container ignores SIGTERM.
    signal.signal(signal.SIGTERM, end)
    if folder is not None:
        signal.signal(signal.SIGINT, end)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


async def _run_stdio(
    settings: Settings | SettingsError,
    telemetry: Telemetry | None,
    sync_seconds: float | None,
    end: Callable[[], None],
) -> None:
    if sync_seconds is None:
        await create_server(settings, observer=telemetry).run_stdio_async(end)
        return

    from liner_mcp.server.archive_sync import syncing  # it needs the extra `archive`
    from liner_mcp.server.clients import demo_transport

    # The answers and the archive are of the same demo.
    transport = demo_transport() if isinstance(settings, Settings) and settings.demo else None
    async with syncing(settings, sync_seconds, transport):
        await create_server(settings, transport=transport, observer=telemetry).run_stdio_async(end)


def _start_telemetry() -> Telemetry | None:
    if not any(name.startswith("OTEL_") for name in os.environ):
        return None  # without an import, because a host waits for the start over stdio

    from liner_mcp.telemetry import start_telemetry

    return start_telemetry(os.environ)


def _serve_http(options: argparse.Namespace, settings: Settings | SettingsError, sync_seconds: float | None) -> int:
    from liner_mcp.http_server.serve import serve_http

    if isinstance(settings, SettingsError):
        raise settings

    def announce(url: str) -> None:
        if settings.mcp_log == "off":  # otherwise the log has it
            print(f"liner-mcp serves MCP at {url}", file=sys.stderr, flush=True)

    workers = 1 if options.workers is None else options.workers
    return serve_http(settings, options.http, workers=workers, on_ready=announce, sync_seconds=sync_seconds)
