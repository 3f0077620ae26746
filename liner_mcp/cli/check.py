"""`liner-mcp check`: tests the settings, Liner and the tools; with --probe, what Liner's documentation leaves open."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path
from typing import Any

import anyio

from liner_mcp.cli.chosen_settings import chosen_settings, chosen_settings_or_error, warn_of_misspelt_variables
from liner_mcp.cli.terminal import Progress, print_wrapped
from liner_mcp.diagnostics.check import CheckResult, run_checks
from liner_mcp.diagnostics.probe import MAX_REQUESTS, Probe
from liner_mcp.errors import SettingsError, SetupError, UsageError
from liner_mcp.files import explained, write_atomically
from liner_mcp.http_server.auth.authentication import authenticator_from
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings


def check(options: argparse.Namespace) -> int:
    if options.out is not None and not options.probe:
        raise UsageError("--out is for --probe: it writes the report of the probe.")
    if options.probe:
        return _probe(chosen_settings(options), options.out)
    return anyio.run(_check, chosen_settings_or_error(options))


def _probe(settings: Settings, out: Path | None) -> int:
    warn_of_misspelt_variables()
    before = _read_before(out) if out is not None else None
    progress = Progress()
    probe = Probe(settings, on_request=lambda number: progress.show(f"Request {number} of at most {MAX_REQUESTS} …"))
    # Ctrl-C ends the probe but not the process: the report of what is known by then is printed.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = False
    try:
        anyio.run(probe.run)
    except KeyboardInterrupt:
        interrupted = True
    report = probe.report(interrupted=interrupted)
    progress.clear()
    for line in report.lines:
        print_wrapped(line, indent=4)
    if out is not None:
        _write(out, before, report.document)
    return 130 if interrupted else report.exit_code


def _read_before(out: Path) -> bytes | None:
    """What the file of the report holds now. Read before the first request, so that a wrong path costs none."""
    with explained(f"{out} cannot be written"):
        if not out.absolute().parent.is_dir():
            raise SetupError(f"{out} cannot be written: there is no such folder.")
        return out.read_bytes() if out.exists() else None


def _write(out: Path, before: bytes | None, document: dict[str, Any]) -> None:
    content = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    with explained(f"{out} cannot be written"):
        write_atomically(out, content.encode(), before=before)
    print_wrapped(
        f"{out} is written. It holds no names, ids, phones, texts, addresses or token. docs/first-hour.md says where "
        "to send it.",
        indent=0,
    )


def check_callers(settings: Settings) -> list[CheckResult]:
    """The result for the files of tokens and of access rules, if there are any, and a note for each misspelt name."""
    if settings.mcp_tokens_file is None and settings.mcp_access_file is None:
        return []
    try:
        known = authenticator_from(settings)
        names = None if known is None else known.names
        notes = Runtime(settings).check_access_file(names, authenticated=known is not None)
    except SettingsError as error:
        return [CheckResult("Callers", ok=False, text=str(error))]
    count = "" if names is None else f" ({len(names)} with a token)"
    found = CheckResult("Callers", ok=True, text=f"The files that name callers over HTTP can be read{count}.")
    return [found, *(CheckResult("Callers", ok=True, text=text, is_note=True) for text in notes)]


async def _check(settings: Settings | SettingsError) -> int:
    works, progress = True, Progress()

    def show(result: CheckResult) -> None:
        nonlocal works
        works = works and result.ok
        label = "NOTE" if result.is_note else "ok" if result.ok else "FIX"
        progress.clear()
        print_wrapped(f"{label:<4} {result.step:<9} {result.text}", indent=15)

    async for result in run_checks(settings, lambda step: progress.show(f"Checking: {step} …")):
        show(result)
    for result in check_callers(settings) if isinstance(settings, Settings) else ():
        show(result)
    if isinstance(settings, Settings) and settings.demo and works:
        print_wrapped("The demo works. Your Liner was not checked: run liner-mcp check without the demo for that.", 0)
        return 0
    print("Everything works." if works else "Fix what is marked FIX, then run liner-mcp check again.")
    return 0 if works else 1
