"""OpenTelemetry traces and metrics of a server, if the standard variables ask for them.

Without these variables nothing of OpenTelemetry is imported. A mistake in them is one sentence on stderr and the server
runs without telemetry: a badly configured collector must not cost users their tools.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from liner_mcp.telemetry.config import read_config

if TYPE_CHECKING:
    from liner_mcp.telemetry.export import Telemetry as Telemetry

logger = logging.getLogger(__name__)


def start_telemetry(environment: Mapping[str, str]) -> Telemetry | None:
    """Start what the environment asks for; None if it asks for nothing or for something that cannot be set up."""
    choice = read_config(environment)
    for sentence in choice.warnings:
        logger.warning("%s", sentence)
    if not (choice.traces or choice.metrics):
        return None
    try:
        from liner_mcp.telemetry.export import start_export

        return start_export(choice)
    except ImportError:
        logger.warning(
            "OpenTelemetry is set up in the environment but not installed: install liner-mcp[otel], or set "
            "OTEL_SDK_DISABLED=true. Serving goes on without it."
        )
    except Exception as error:  # noqa: BLE001 - the SDK raises errors of any kind for a variable that it cannot use
        logger.warning(
            "OpenTelemetry could not be set up (%s): check the OTEL_ variables. Serving goes on without it.",
            type(error).__name__,
        )
    return None
