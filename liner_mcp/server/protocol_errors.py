"""Rewrites every error of the protocol before it is sent, over stdio and over HTTP.

The SDK repeats what a client sent (a method, a URI) in full in the data of its errors, and the text of a crash as the
message. Here the data is masked and truncated, a crash is reported by its place only, and errors of the demo are
labelled. A failed tool call is a result and not an error of the protocol: app.py labels results.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any, cast

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, JSONRPCNotification
from pydantic import ValidationError

from liner_mcp.server.demo_labels import LINE
from liner_mcp.server.lazy import answering
from liner_mcp.server.log_redaction import METHODS, known_method

logger = logging.getLogger(__name__)

NO_BATCHES = "Send one JSON-RPC request at a time: batches are not supported."
ONE_REQUEST = 'Send one JSON-RPC request: an object with "jsonrpc": "2.0", "id", "method" and, if any, "params".'
MAX_URI = 200  # characters of a resource's URI: four times our longest, and an error repeats the URI


def protocol_errors(*, demo: bool) -> ServerMiddleware[Any]:
    """A middleware for the SDK that rewrites errors. `demo`: with the label of invented data."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        try:
            return await call_next(ctx)
        except MCPError as error:
            code, message, data = error.error.code, error.error.message, _shown(error.error.data)
        except ValidationError as error:
            # As the SDK answers, with the parameter. A parameter that is not of the protocol is the client's own text.
            first = error.errors(include_url=False, include_input=False)[0]
            named = [str(part) for part in first["loc"] if part != "params" and first["type"] != "extra_forbidden"]
            code, message, data = INVALID_PARAMS, ": ".join(["Invalid request parameters", *named[:1]]), ""
        except Exception as error:  # noqa: BLE001 - the boundary
            code, message, data = INTERNAL_ERROR, log_crash(known_method(ctx.method), error), None
        raise MCPError(code=code, message=f"{LINE} {message}" if demo else message, data=data) from None

    return middleware


def is_request_without_id(message: object) -> bool:
    """Whether a request has an id that is null, a fraction or true: the SDK takes it for a notification."""
    return isinstance(message, JSONRPCNotification) and not message.method.startswith("notifications/")


def log_crash(what: str, error: BaseException) -> str:
    """Log the place of a bug without the exception's text, which may hold a summary or a phone; a sentence about it."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    logger.error("%s crashed: %s at %s", what, type(error).__name__, place)
    return f"liner-mcp failed inside ({type(error).__name__} at {place}). This is a bug in liner-mcp; please report it."


def _shown(data: object) -> Any:
    """The data of an error, with the client's texts masked and truncated to the length of a URI."""
    if isinstance(data, str):
        # Methods of the protocol need no import of the answers: hosts try methods while they start the server.
        return data if not data or data in METHODS else answering().quote_input(data, MAX_URI)
    if isinstance(data, dict):
        return {name: _shown(value) for name, value in cast("dict[str, Any]", data).items()}
    return data
