"""The command line: its options, and the module of each command. Only this folder prints.

`liner-mcp` without a command serves MCP over stdio, because hosts start it like that; stdout then belongs to MCP.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from liner_mcp import __version__
from liner_mcp.errors import SetupError, UsageError

if TYPE_CHECKING:
    from io import TextIOWrapper

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process: with 0, with 1 if something must be fixed, with 2 for wrong usage."""
    # The default action ends every command at once. The SDK's stdio server would delay Ctrl-C until stdin closes. Large
    # imports come after this line, because Ctrl-C during an import prints a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_closed_streams()
    # Letters that the terminal's encoding lacks are printed as escapes. The protocol is not affected, because the SDK
    # writes UTF-8 past this stream. stderr does the same by default.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    code = 1
    try:
        try:
            code = _run(arguments)
        finally:
            sys.stdout.flush()
    except* OSError as errors:
        unwritable, other = errors.split(lambda error: isinstance(error, OSError) and error.errno in _UNWRITABLE)
        if other is not None or unwritable is None:
            raise
        # The reader of stdout has closed it, as `| head -1` does, or a disk is full. Python flushes it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if unwritable.subgroup(BrokenPipeError) is None:
            print("stdout cannot be written: is the disk full?", file=sys.stderr)
        code = 1
    sys.exit(code)


def _open_closed_streams() -> None:
    """Open the null device for a standard stream that was closed (`>&-`): Python sets it to None then."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(_with_joined_values(sys.argv[1:] if arguments is None else arguments))
    # Each command imports only what it needs, because a host waits while the server starts.
    try:
        match options.command:
            case "agreement":
                from liner_mcp.cli.agreement import agreement

                return agreement(options)
            case "check":
                from liner_mcp.cli.check import check

                return check(options)
            case "demo":
                from liner_mcp.cli.demo import demo

                return demo(options)
            case "install":
                from liner_mcp.cli.install import install

                return install(options)
            case "sync":
                from liner_mcp.cli.sync import sync

                return sync(options)
            case "archive":
                from liner_mcp.cli.archive import archive

                return archive(options)
            case "forget":
                from liner_mcp.cli.forget import forget

                return forget(options)
            case "review":
                from liner_mcp.cli.review import review

                return review(options)
            case "token":
                from liner_mcp.cli.tokens import token

                return token(options)
            case _:  # also without a command
                from liner_mcp.cli.serve import serve

                return serve(options)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _with_joined_values(arguments: Sequence[str]) -> list[str]:
    """`--since -90d` as `--since=-90d`: argparse takes a value that begins with a dash for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--since" and re.fullmatch(r"-\d+d", argument):
            joined[-1] = f"--since={argument}"
        else:
            joined.append(argument)
    return joined


def _identifier(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,15}", text, re.ASCII):
        raise argparse.ArgumentTypeError("an id is a whole number above 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    from liner_mcp.cli.host_config import HOSTS
    from liner_mcp.cli.review_options import add_review

    parser = argparse.ArgumentParser(
        prog="liner-mcp",
        description="Review call-centre recordings kept in Liner (linerapp.io) from an AI assistant. Read-only.",
        epilog="Without a command it serves MCP over stdio, which is how an assistant starts it. "
        "Settings are environment variables: https://github.com/liner-mcp/liner-mcp/blob/main/docs/settings.md",
    )
    parser.add_argument("--version", action="version", version=f"liner-mcp {__version__}")
    parser.add_argument(
        "--demo", action="store_true", help="use the built-in demo server with invented data; no account needed"
    )
    # `liner-mcp` without a command is `serve` without options.
    parser.set_defaults(command="serve", http=None, workers=None, sync_every=None, archive=False)
    commands = parser.add_subparsers(dest="command", metavar="command")
    serve = commands.add_parser("serve", help="serve MCP over stdio (the default), or over HTTP for a team")
    serve.add_argument(
        "--http", metavar="HOST:PORT", help="serve Streamable HTTP at this address: 127.0.0.1:8080 or [::1]:8080"
    )
    serve.add_argument("--workers", type=int, metavar="N", help="processes that share the work of --http (default 1)")
    serve.add_argument(
        "--sync-every",
        metavar="15m",
        help="also sync the archive of LINER_ARCHIVE, at the start and then at this interval",
    )
    serve.add_argument("--archive", action="store_true", help="with --demo: make an archive of the demo, and remove it")
    check = commands.add_parser("check", help="check the settings, Liner and the tools; say what to fix")
    check.add_argument(
        "--probe",
        action="store_true",
        help="test what Liner's documentation leaves open, with at most 20 read requests, and print a report",
    )
    check.add_argument("--out", type=Path, metavar="FILE", help="with --probe: also write the report as JSON, redacted")
    demo = commands.add_parser("demo", help="show questions, tool calls and answers; no account needed")
    demo.add_argument("--json", action="store_true", help="print the answers as a model reads them, one JSON per line")
    install = commands.add_parser("install", help="show the change and add this server to an assistant's configuration")
    install.add_argument("host", nargs="?", choices=HOSTS, metavar="HOST", help=f"the assistant: {', '.join(HOSTS)}")
    install.add_argument("--link", action="store_true", help="print one-click links of the demo for Cursor and VS Code")
    install.add_argument("--dry-run", action="store_true", help="show the change and write nothing")
    install.add_argument("--yes", action="store_true", help="write without asking")
    install.add_argument("--file", type=Path, metavar="PATH", help="the configuration file, if it is not the usual one")
    agreement = commands.add_parser("agreement", help="compare the verdicts of several reviewers on the same calls")
    agreement.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="results of a review, or a table of a person's verdicts"
    )
    agreement.add_argument("--json", action="store_true", help="print everything as one JSON object")
    review = add_review(commands)
    token = commands.add_parser("token", help="create a token for an HTTP caller and show it once")
    token.add_argument("name", metavar="NAME", help="the name of the caller, such as anna")
    token.add_argument("--add", action="store_true", help="add its line to LINER_MCP_TOKENS_FILE")
    token.add_argument("--rotate", action="store_true", help="with --add: allow a second token of that name")
    sync = commands.add_parser("sync", help="fill the archive of LINER_ARCHIVE from Liner, newest day first")
    sync.add_argument(
        "--since", metavar="WHEN", help="the first day to read: -90d (the default) or a date such as 2026-09-01"
    )
    sync.add_argument("--again", action="store_true", help="read days that are final too")
    sync.add_argument("--pace", type=float, metavar="N", help="requests per second (default: half of the server's)")
    sync.add_argument("--json", action="store_true", help="print the result as one JSON object")
    sync.add_argument(
        "--every",
        metavar="15m",
        help="sync at the start and then at this interval, until a signal; failures are logged",
    )
    archive = commands.add_parser("archive", help="show, verify or rebuild the archive of LINER_ARCHIVE")
    actions = archive.add_subparsers(dest="action", metavar="action", required=True)
    status = actions.add_parser("status", help="show what the archive covers and holds")
    status.add_argument("--json", action="store_true", help="print one JSON object")
    verify = actions.add_parser("verify", help="check that the archive is sound and holds nothing it must not hold")
    rebuild = actions.add_parser("rebuild", help="make the index of words anew, and the file if it is damaged")
    forget = commands.add_parser("forget", help="remove calls from the archive and from every answer, for good")
    what = forget.add_mutually_exclusive_group(required=True)
    what.add_argument("--lead", type=_identifier, metavar="ID", help="the calls of a lead until now")
    what.add_argument("--call", type=_identifier, metavar="ID", help="one call")
    what.add_argument("--before", metavar="DATE", help="every call before a day, such as 2026-09-01")
    forget.add_argument("--yes", action="store_true", help="do not ask")
    for command in (serve, check, install, sync, status, verify, rebuild, forget, review):
        # SUPPRESS keeps the value of a --demo before the command.
        command.add_argument("--demo", action="store_true", default=argparse.SUPPRESS, help="use invented data")
    return parser
