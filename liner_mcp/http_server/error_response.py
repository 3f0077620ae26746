"""What is said to a request that goes no further: a status and one sentence, in the shape that MCP clients read."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.responses import Response

# JSON-RPC's own codes: the HTTP status says the rest.
_INVALID_REQUEST, _INTERNAL_ERROR = -32600, -32603

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""On every answer that does not say otherwise itself: nothing here is a page, and nothing may be cached."""


def error_response(status: int, sentence: str, **headers: str) -> Response:
    """A refusal as an ASGI response; `retry_after="1"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    code = _INVALID_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else _INTERNAL_ERROR
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": sentence}}
    return Response(json.dumps(error), status, named, media_type="application/json")
