"""The command line: serve, check, demo, install, token. The only module that prints.

`liner-mcp` alone serves MCP over stdio, because that is how hosts start it; stdout then belongs to the protocol.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio

from liner_mcp import __version__
from liner_mcp.cli.host_config import (
    DEMO_NAME,
    HOSTS,
    NAME,
    build_entry,
    holds,
    host_file,
    launch_command,
    plan_change,
    read,
    write,
)
from liner_mcp.errors import SettingsError, SetupError
from liner_mcp.http_server.auth import token_lines
from liner_mcp.json_logging import configure_logging
from liner_mcp.settings import DEMO_NOTICE, Settings, read_settings

if TYPE_CHECKING:
    from io import TextIOWrapper

    from liner_mcp.telemetry import Telemetry

SHOWN_CELLS = 1_200  # of an answer in the tour: its beginning


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with 0 when all is well, 1 when something must be mended."""
    # The SDK's stdio server holds Ctrl-C back until stdin closes; the default handler ends every command at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A terminal may use an encoding without the letters of a name or a path: they are shown as escapes. The protocol is
    # not affected, because the SDK writes UTF-8 past this stream. stderr does the same by default.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    code = 1
    try:
        try:
            code = _run(arguments)
        finally:
            sys.stdout.flush()
    except* BrokenPipeError:  # in a group when the server of stdio writes
        # The reader of stdout has gone, as `| head -1` does. Python flushes stdout once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liner-mcp",
        description="Review call-centre recordings kept in Liner (linerapp.io) from an AI assistant. Read-only.",
        epilog="Without a command it serves MCP over stdio, which is how an assistant starts it. "
        "Settings are environment variables; the README lists them.",
    )
    parser.add_argument("--version", action="version", version=f"liner-mcp {__version__}")
    parser.add_argument(
        "--demo", action="store_true", help="use the built-in demo server with invented data; no account needed"
    )
    # `liner-mcp` without a command is `serve` without its options.
    parser.set_defaults(run=_serve, http=None, workers=None)
    commands = parser.add_subparsers(metavar="command")
    serve = commands.add_parser("serve", help="serve MCP over stdio (the default), or over HTTP for a team")
    serve.add_argument(
        "--http", metavar="HOST:PORT", help="serve Streamable HTTP there, such as 127.0.0.1:8080 or [::1]:8080"
    )
    serve.add_argument("--workers", type=int, metavar="N", help="processes that share the work of --http (default 1)")
    check = commands.add_parser("check", help="check the settings, Liner and the tools; say what to fix")
    check.add_argument(
        "--probe",
        action="store_true",
        help="ask Liner what its documentation leaves open (20 reading requests at most) and print a report to share",
    )
    demo = commands.add_parser("demo", help="a first minute without an account: three questions and their answers")
    install = commands.add_parser("install", help="add this server to an assistant's configuration; shows the change")
    install.add_argument("host", choices=HOSTS, metavar="HOST", help=f"the assistant: {', '.join(HOSTS)}")
    install.add_argument("--dry-run", action="store_true", help="show the change and write nothing")
    install.add_argument("--yes", action="store_true", help="write without asking")
    install.add_argument("--file", type=Path, metavar="PATH", help="the configuration file, if it is not the usual one")
    token = commands.add_parser("token", help="make a token for a caller over HTTP; shows it once")
    token.add_argument("name", metavar="NAME", help="whose it is, such as anna")
    token.add_argument("--add", action="store_true", help="add its line to LINER_MCP_TOKENS_FILE")
    token.add_argument("--rotate", action="store_true", help="with --add: let a second token of that name stand")
    runs = {serve: _serve, check: _check, demo: _demo, install: _install, token: _token}
    for command, run in runs.items():
        command.set_defaults(run=run)
    for command in (serve, check, install):
        # Not to overwrite what stood before the command.
        command.add_argument("--demo", action="store_true", default=argparse.SUPPRESS, help="use invented data")
    return parser


def _read_settings(options: argparse.Namespace) -> Settings:
    return Settings.of_demo_option() if options.demo else read_settings()


def _settings(options: argparse.Namespace) -> Settings | SettingsError:
    try:
        return _read_settings(options)
    except SettingsError as error:
        return error


# serve --------------------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    if options.http is not None:
        return _serve_http(options)
    if options.workers is not None:
        print("--workers is for --http HOST:PORT; over stdio there is one process.", file=sys.stderr)
        return 2

    from liner_mcp.server.app import create_server

    settings = _settings(options)
    demo_notice = settings.demo_notice if isinstance(settings, Settings) else ""
    if sys.stdin.isatty():
        print(
            "liner-mcp is waiting for an MCP client on stdin; assistants start it themselves. "
            "For a first look: liner-mcp demo. To stop: Ctrl-C.",
            *filter(None, [demo_notice]),
            sep="\n",
            file=sys.stderr,
        )
    if isinstance(settings, Settings) and settings.mcp_log is not None:
        configure_logging(settings.mcp_log, demo_notice)
    telemetry = _telemetry()
    try:
        anyio.run(create_server(settings, observer=telemetry).run_stdio_async)
    finally:
        if telemetry is not None:
            telemetry.close()
    return 0


def _telemetry() -> Telemetry | None:
    if not any(name.startswith("OTEL_") for name in os.environ):
        return None  # a start over stdio is awaited by a host: not even the question costs it an import

    from liner_mcp.telemetry import start_telemetry

    return start_telemetry(os.environ)


def _serve_http(options: argparse.Namespace) -> int:
    from liner_mcp.http_server.serve import serve_http

    settings = _read_settings(options)

    def announce(url: str) -> None:
        notice = f" ({settings.demo_notice})" if settings.demo_notice else ""
        print(f"liner-mcp serves MCP at {url}{notice}", file=sys.stderr, flush=True)

    workers = 1 if options.workers is None else options.workers
    return serve_http(settings, options.http, workers=workers, on_ready=announce)


# check --------------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    if options.probe:
        return _probe(_read_settings(options))
    return anyio.run(_print_results, _settings(options))


def _probe(settings: Settings) -> int:
    from liner_mcp.diagnostics.probe import Probe

    probe = Probe(settings)
    # Ctrl-C shall end the asking, not the process: what was found by then is printed.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = False
    try:
        anyio.run(probe.run)
    except KeyboardInterrupt:
        interrupted = True
    report = probe.report(interrupted=interrupted)
    print(*report.lines, sep="\n")
    return 130 if interrupted else report.exit_code


async def _print_results(settings: Settings | SettingsError) -> int:
    from liner_mcp.diagnostics.check import run_checks

    works = True
    async for finding in run_checks(settings):
        works = works and finding.ok
        print(f"{'ok  ' if finding.ok else 'FIX '} {finding.step:<9} {finding.text}", flush=True)
    if isinstance(settings, Settings) and settings.demo and works:
        print("The demo works. Your Liner was not asked: run liner-mcp check without the demo for that.")
        return 0
    print("Everything works." if works else "Mend what is marked FIX, then run liner-mcp check again.")
    return 0 if works else 1


# demo ---------------------------------------------------------------------------------------------------------------


def _demo(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from liner_mcp.cli.demo_tour import run_tour, tokenizer

    console = Console(highlight=False, soft_wrap=True)
    console.print(DEMO_NOTICE)
    console.print("A demo server with forty days of calls, this MCP server, and an MCP client that asks it.\n")
    steps = anyio.run(run_tour)
    exact = tokenizer()[1]
    unit = "tokens" if exact else "tokens (estimated: install rs-bpe for an exact count)"
    for number, stop in enumerate(steps, 1):
        console.print(Text(f"{number}. {stop.question.text}", style="bold"))
        call = Text(f"   {stop.question.tool} {json.dumps(stop.question.arguments, ensure_ascii=False)}", style="cyan")
        answer = Text(stop.answer)
        for text, cells in ((call, 120), (answer, SHOWN_CELLS)):
            text.truncate(cells, overflow="ellipsis")
            console.print(text)
        console.print(
            f"   answer {stop.answer_bytes:,} bytes, {stop.answer_tokens:,} {unit}; "
            f"Liner's own {stop.requests} answers {stop.raw_bytes:,} bytes, {stop.raw_tokens:,} tokens "
            f"(the answer is {stop.answer_tokens / stop.raw_tokens:.0%} of that).\n",
            style="green",
        )
    console.print("Try it in Claude Desktop: add this to claude_desktop_config.json and restart it.")
    host = HOSTS["claude-desktop"]
    name, made = build_entry(sys.argv[0], {}, demo=True, host=host)
    console.print(Text(json.dumps({host.key: {name: made}}, indent=2, ensure_ascii=False)))
    console.print(
        "Then ask: What was said on call 7000102? The data is invented there too. "
        "With your own Liner: see the README, or run liner-mcp check."
    )
    return 0


# install ------------------------------------------------------------------------------------------------------------


def _install(options: argparse.Namespace) -> int:
    settings = _read_settings(options)
    settings.host_and_token()
    if settings.demo_notice:
        print(settings.demo_notice)
    demo, host, path = settings.demo, HOSTS[options.host], _config_path(options)
    name, made = build_entry(sys.argv[0], os.environ, demo=demo, host=host)
    before = read(path)
    remove = None
    if demo and holds(path, before, host, NAME):
        print(f"{path} holds {NAME} too: the assistant will have both, with the same tools.")
    elif not demo and holds(path, before, host, DEMO_NAME) and _removes_demo(options, path):
        remove = DEMO_NAME
    planned = plan_change(path, before, host, name, made, remove=remove)
    if planned is None:
        print(f"Nothing to change: {path} holds {name} already.")
        return 0
    print(f"What will change for {host.title} in {path}:", *planned.diff, sep="\n")
    if "LINER_API_TOKEN" in made.get("env", {}):
        print("The token will stand in that file as plain text; LINER_API_TOKEN_FILE keeps it out.")
    if options.dry_run:
        print("A dry run: nothing was written.")
        return 0
    if not options.yes and not _confirm("Write it?"):
        print("Nothing was written.")
        return 1
    backup = write(planned, datetime.now().astimezone())
    print(f"Written.{f' The old content is in {backup}.' if backup else ''} {host.next_step}")
    check = " ".join(f'"{word}"' if " " in word else word for word in launch_command(sys.argv[0]))
    print(f"To see whether the server works: {check} check{' --demo' if demo else ''}")
    return 0


def _removes_demo(options: argparse.Namespace, path: Path) -> bool:
    """Whether the entry of the demo goes when the real server is added; a person at a terminal decides."""
    print(f"{path} holds {DEMO_NAME} too, which answers with invented data under the same names of tools.")
    if options.dry_run or options.yes or not _has_terminal():
        print(f"{DEMO_NAME} will be removed.")
        return True
    return _confirm(f"Remove {DEMO_NAME}?")


def _config_path(options: argparse.Namespace) -> Path:
    try:
        if options.file is not None:
            return options.file.expanduser().absolute()
        return host_file(options.host, platform=sys.platform, home=Path.home(), environment=os.environ)
    except RuntimeError:
        raise SetupError("Your home folder cannot be found. Name the configuration file in full with --file.") from None


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _confirm(question: str) -> bool:
    if not _has_terminal():
        raise SetupError(
            "Nothing was written, because there is no terminal to ask on. "
            "Add --yes to write it, or --dry-run to see it only."
        )
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


# token --------------------------------------------------------------------------------------------------------------


def _token(options: argparse.Namespace) -> int:
    token, line = token_lines.create_token(options.name)
    held = 0
    if options.add:
        path = read_settings().mcp_tokens_file
        if path is None:
            raise SetupError(f"Set {token_lines.VARIABLE} to the file first; nothing was written.")
        held = token_lines.add_token_line(path, line, rotate=options.rotate)
    print(token)  # alone on its line, for programs; the rest is for people
    if options.add:
        print(f"The token of {options.name}, shown this once. {token_lines.VARIABLE} lets it in.", file=sys.stderr)
    else:
        print(line)
        print(
            f"First the token of {options.name}, shown this once; "
            f"then the line for {token_lines.VARIABLE} (--add adds it).",
            file=sys.stderr,
        )
    if held > 1:
        print("The old one works too until its line, the upper of the two, is taken out.", file=sys.stderr)
    return 0
