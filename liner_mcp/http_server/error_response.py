"""The answer to a refused request: a status and one sentence, in the form of a JSON-RPC error."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.responses import Response

# JSON-RPC's codes. The HTTP status is more exact.
_INVALID_REQUEST, _INTERNAL_ERROR = -32600, -32603

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""On every answer that does not set them itself. No answer is a page, and none may be cached."""


def error_response(status: int, sentence: str, **headers: str) -> Response:
    """An error as an ASGI response; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    code = _INVALID_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else _INTERNAL_ERROR
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": sentence}}
    return Response(json.dumps(error), status, named, media_type="application/json")
