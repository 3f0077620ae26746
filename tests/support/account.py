"""An account at the demo server that tests put behind the transport: answers come as from a real Liner, unmarked."""

from typing import Any

ACCOUNT: dict[str, Any] = {"api_host": "http://127.0.0.1", "api_token": "demo"}
