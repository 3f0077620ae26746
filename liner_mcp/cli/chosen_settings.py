"""The settings of a command: from the environment, or those of the demo with --demo."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

from liner_mcp.errors import SettingsError
from liner_mcp.settings import Settings, misspelt_variables, read_settings


def chosen_settings(options: argparse.Namespace, *, archive: bool = False) -> Settings:
    """`archive`: the command is about the archive, so LINER_ARCHIVE is read with --demo too. Raises: SettingsError."""
    if not options.demo:
        return read_settings()
    named = os.environ.get("LINER_ARCHIVE")
    return Settings.of_demo_option(archive=named) if archive and named else Settings.of_demo_option()


def chosen_settings_or_error(options: argparse.Namespace) -> Settings | SettingsError:
    """For a server: without usable settings it starts too, and each answer says what to set."""
    try:
        return chosen_settings(options)
    except SettingsError as error:
        return error


def warn_of_misspelt_variables() -> None:
    """For a command that a person runs. A warning and no refusal: the variable may belong to another program."""
    print_warnings(misspelt_variables())


def print_warnings(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(f"Warning: {sentence}", file=sys.stderr)
