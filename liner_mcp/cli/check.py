"""`liner-mcp check`: tests the settings, Liner and the tools; with --probe, what Liner's documentation leaves open."""

from __future__ import annotations

import argparse
import signal

import anyio

from liner_mcp.cli.chosen_settings import chosen_settings, chosen_settings_or_error
from liner_mcp.diagnostics.check import run_checks
from liner_mcp.diagnostics.probe import Probe
from liner_mcp.errors import SettingsError
from liner_mcp.settings import Settings


def check(options: argparse.Namespace) -> int:
    if options.probe:
        return _probe(chosen_settings(options))
    return anyio.run(_check, chosen_settings_or_error(options))


def _probe(settings: Settings) -> int:
    probe = Probe(settings)
    # Ctrl-C ends the probe but not the process: the report of what is known by then is printed.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = False
    try:
        anyio.run(probe.run)
    except KeyboardInterrupt:
        interrupted = True
    report = probe.report(interrupted=interrupted)
    print(*report.lines, sep="\n")
    return 130 if interrupted else report.exit_code


async def _check(settings: Settings | SettingsError) -> int:
    works = True
    async for finding in run_checks(settings):
        works = works and finding.ok
        print(f"{'ok  ' if finding.ok else 'FIX '} {finding.step:<9} {finding.text}", flush=True)
    if isinstance(settings, Settings) and settings.demo and works:
        print("The demo works. Your Liner was not checked: run liner-mcp check without the demo for that.")
        return 0
    print("Everything works." if works else "Fix what is marked FIX, then run liner-mcp check again.")
    return 0 if works else 1
