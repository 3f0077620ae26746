"""Every error of the protocol passes here on its way out, over stdio and HTTP alike.

The SDK repeats what a client sent (a method, an address) whole in the data of its errors, and the text of a crash as
the message. Here the data is masked and cut, a crash says only its place, and in the demo each error has the demo's
mark. A failed tool is a result and not an error of the protocol: app.py marks results.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any, cast

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import ValidationError

from liner_mcp.server.demo_labels import LINE
from liner_mcp.server.lazy import answering
from liner_mcp.server.log_redaction import METHODS, known_method

logger = logging.getLogger(__name__)

MAX_URI = 200  # characters of a resource's address; ours have a quarter, and an error repeats the address it is about


def protocol_errors(*, demo: bool) -> ServerMiddleware[Any]:
    """A middleware of the SDK that writes the errors of the protocol; `demo`: with the mark of invented data."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        try:
            return await call_next(ctx)
        except MCPError as error:
            code, message, data = error.error.code, error.error.message, _shown(error.error.data)
        except ValidationError:
            # The same as the SDK would answer.
            code, message, data = INVALID_PARAMS, "Invalid request parameters", ""
        except Exception as error:  # noqa: BLE001 - the boundary
            code, message, data = INTERNAL_ERROR, log_crash(known_method(ctx.method), error), None
        raise MCPError(code=code, message=f"{LINE} {message}" if demo else message, data=data) from None

    return middleware


def log_crash(what: str, error: BaseException) -> str:
    """Log where a bug struck, without the exception's text: that may hold a summary or a phone."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    logger.error("%s crashed: %s at %s", what, type(error).__name__, place)
    return f"liner-mcp failed inside ({type(error).__name__} at {place}). This is a bug in liner-mcp; please report it."


def _shown(data: object) -> Any:
    """The data of an error: a client's texts in it masked and at most as long as an address."""
    if isinstance(data, str):
        # The protocol's own methods are spared the import: hosts probe for methods while they start the server.
        return data if not data or data in METHODS else answering().quote_input(data, MAX_URI)
    if isinstance(data, dict):
        return {name: _shown(value) for name, value in cast("dict[str, Any]", data).items()}
    return data
