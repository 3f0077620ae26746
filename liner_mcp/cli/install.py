"""`liner-mcp install`: adds this server to an assistant's configuration, after showing the change and asking."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from liner_mcp.cli.chosen_settings import chosen_settings, warn_of_misspelt_variables
from liner_mcp.cli.host_config import (
    DEMO_NAME,
    HOSTS,
    NAME,
    build_entry,
    holds,
    host_file,
    plain_secrets,
    plan_change,
    read,
    write,
)
from liner_mcp.cli.links import LINKS
from liner_mcp.cli.program import INSTALL, is_cached, shell_command
from liner_mcp.cli.terminal import confirmed
from liner_mcp.errors import SetupError


def install(options: argparse.Namespace) -> int:
    warn_of_misspelt_variables()
    if options.link:
        return _print_links(options.host)
    if options.host is None:
        print(f"Name the assistant: {', '.join(HOSTS)}. --link prints one-click links instead.", file=sys.stderr)
        return 2
    if is_cached(Path(sys.prefix)):
        raise SetupError(_cached_program(options))
    settings = chosen_settings(options)
    settings.host_and_token()
    if settings.demo_notice:
        print(settings.demo_notice)
    demo, host, path = settings.demo, HOSTS[options.host], _config_path(options)
    name, made = build_entry(sys.argv[0], os.environ, demo=demo, host=host)
    before = read(path)
    remove = None
    if demo and holds(path, before, host, NAME):
        print(f"{path} also holds {NAME}: the assistant will have both, with the same tools.")
    elif not demo and holds(path, before, host, DEMO_NAME) and _removes_demo(options, path):
        remove = DEMO_NAME
    planned = plan_change(path, before, host, name, made, remove=remove)
    if planned is None:
        print(f"Nothing to change: {path} already holds {name}.")
        return 0
    print(f"What will change{'' if options.file else f' for {host.title}'} in {path}:", *planned.diff, sep="\n")
    for sentence in plain_secrets(path, made):
        print(sentence)
    if options.dry_run:
        print("A dry run: nothing was written.")
        return 0
    if not options.yes and not _confirm("Write it?"):
        print("Nothing was written.")
        return 1
    backup = write(planned, datetime.now().astimezone())
    # The file may be another assistant's.
    next_step = "Restart the assistant that reads this file." if options.file else host.next_step
    print(f"Written.{f' The old content is in {backup}.' if backup else ''} {next_step}")
    print(f"To check the server: {shell_command(sys.argv[0])} check{' --demo' if demo else ''}")
    return 0


def _print_links(host: str | None) -> int:
    if host is not None and host not in LINKS:
        raise SetupError(f"There is no link for {HOSTS[host].title}, only for {' and '.join(LINKS)}.")
    for name, link in LINKS.items():
        if host in (None, name):
            print(f"{HOSTS[name].title}: {link}")
    return 0


def _cached_program(options: argparse.Namespace) -> str:
    demo = " --demo" if options.demo else ""
    return (
        "Nothing was written: this program runs from a cache, which may be deleted, and the assistant would then find "
        f"no server. Install it first:\n{INSTALL}; liner-mcp install {options.host}{demo}"
    )


def _removes_demo(options: argparse.Namespace, path: Path) -> bool:
    """Whether to remove the entry of the demo when the real server is added. A user at a terminal decides."""
    print(f"{path} also holds {DEMO_NAME}, which has the same tools with invented data.")
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
    return confirmed(question)
