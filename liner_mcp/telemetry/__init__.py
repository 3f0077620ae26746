"""OpenTelemetry for whoever runs a server: traces and metrics of what it does, if the standard variables ask for them.

Without these variables nothing of OpenTelemetry is imported. Whatever is wrong with them is one sentence on stderr, and
serving goes on: nobody should lose a tool because a collector is set up badly.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from liner_mcp.telemetry.config import TelemetryConfig, read_config

if TYPE_CHECKING:
    from liner_mcp.telemetry.export import Telemetry as Telemetry

logger = logging.getLogger(__name__)


def start_telemetry(environment: Mapping[str, str]) -> Telemetry | None:
    """Set up what the environment asks for; None when that is nothing, or cannot be had."""
    choice = read_config(environment)
    for sentence in choice.warnings:
        logger.warning("%s", sentence)
    return _start(choice) if choice.wanted else None


def _start(choice: TelemetryConfig) -> Telemetry | None:
    try:
        from liner_mcp.telemetry.export import start_export
    except ImportError:
        logger.warning(
            "OpenTelemetry is set up in the environment but not installed: install liner-mcp[otel], or set "
            "OTEL_SDK_DISABLED=true. Serving goes on without it."
        )
        return None
    try:
        return start_export(choice)
    except Exception as error:  # noqa: BLE001 - the boundary: the SDK raises what it likes for a variable it cannot use
        logger.warning(
            "OpenTelemetry could not be set up (%s): check the OTEL_ variables. Serving goes on without it.",
            type(error).__name__,
        )
        return None
