"""The command line: serve, check, demo. The only module that prints.

`liner-mcp` alone serves MCP over stdio, because that is how hosts start it; stdout then belongs to the protocol.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liner_mcp import __version__
from liner_mcp.errors import SettingsError
from liner_mcp.settings import Settings, read_settings

SHOWN_CHARACTERS = 1_200  # of an answer in the tour: the beginning and the end of a long one


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with 0 when all is well, 1 when something must be mended."""
    # The SDK's stdio server holds Ctrl-C back until stdin closes; the default handler ends every command at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    options = _parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {"serve": _serve, "check": _check, "demo": _demo}
    sys.exit(commands[options.command or "serve"](options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liner-mcp",
        description="Review call-centre recordings kept in Liner (linerapp.io) from an AI assistant. Read-only.",
        epilog="Without a command it serves MCP over stdio, which is how an assistant starts it. "
        "Settings are environment variables; the README lists them.",
    )
    parser.add_argument("--version", action="version", version=f"liner-mcp {__version__}")
    parser.add_argument("--demo", action="store_true", help="use the built-in make-believe Liner; no account needed")
    commands = parser.add_subparsers(dest="command", metavar="command")
    serve = commands.add_parser("serve", help="serve MCP over stdio (the default)")
    check = commands.add_parser("check", help="check the settings, Liner and the tools; say what to fix")
    for command in (serve, check):
        # Not to overwrite what stood before the command.
        command.add_argument(
            "--demo", action="store_true", default=argparse.SUPPRESS, help="use the make-believe Liner"
        )
    commands.add_parser("demo", help="a first minute without an account: three questions and their answers")
    return parser


def _settings(options: argparse.Namespace) -> Settings | SettingsError:
    try:
        return read_settings(**({"mcp_demo": True} if options.demo else {}))
    except SettingsError as error:
        return error


# serve --------------------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    import anyio

    from liner_mcp.server.app import create_server

    if sys.stdin.isatty():
        print(
            "liner-mcp is waiting for an MCP client on stdin; assistants start it themselves. "
            "For a first look: liner-mcp demo. To stop: Ctrl-C.",
            file=sys.stderr,
        )
    anyio.run(create_server(_settings(options)).run_stdio_async)
    return 0


# check --------------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    import anyio

    return anyio.run(_print_findings, _settings(options))


async def _print_findings(settings: Settings | SettingsError) -> int:
    from liner_mcp.checkup import check_up

    works = True
    async for finding in check_up(settings):
        works = works and finding.works
        print(f"{'ok  ' if finding.works else 'FIX '} {finding.step:<9} {finding.text}", flush=True)
    print("Everything works." if works else "Mend what is marked FIX, then run liner-mcp check again.")
    return 0 if works else 1


# demo ---------------------------------------------------------------------------------------------------------------


def _demo(_: argparse.Namespace) -> int:
    import anyio
    from rich.console import Console
    from rich.text import Text

    from liner_mcp.tour import tokenizer, tour

    console = Console(highlight=False, soft_wrap=True)
    console.print("A make-believe Liner with forty days of calls, this server, and an MCP client between them.\n")
    stops = anyio.run(tour)
    exact = tokenizer()[1]
    unit = "tokens" if exact else "tokens (estimated: install rs-bpe for an exact count)"
    for number, stop in enumerate(stops, 1):
        console.print(Text(f"{number}. {stop.question.text}", style="bold"))
        console.print(
            Text(f"   {stop.question.tool}({_shortened(_compact(stop.question.arguments), 100)})", style="cyan")
        )
        console.print(Text(_shortened(stop.answer, SHOWN_CHARACTERS)))
        console.print(
            f"   answer {stop.answer_bytes:,} bytes, {stop.answer_tokens:,} {unit}; "
            f"Liner's own {stop.requests} answers {stop.raw_bytes:,} bytes, {stop.raw_tokens:,} tokens "
            f"(to {stop.answer_tokens / stop.raw_tokens:.0%}).\n",
            style="green",
        )
    console.print("Try it in Claude Desktop: add this to claude_desktop_config.json and restart it.")
    console.print(Text(json.dumps(_desktop_entry(), indent=2, ensure_ascii=False)))
    console.print(
        "Then ask: What was said on call 7000102? With your own Liner: see the README, or run liner-mcp check."
    )
    return 0


def _compact(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]} … {len(text) - head - tail:,} more characters … {text[-tail:]}"


def _desktop_entry() -> dict[str, Any]:
    """A host's configuration that starts this very installation: desktop hosts know no PATH."""
    script = shutil.which("liner-mcp") or str(Path(sys.argv[0]).resolve())
    return {"mcpServers": {"liner-demo": {"command": script, "args": ["serve", "--demo"]}}}
