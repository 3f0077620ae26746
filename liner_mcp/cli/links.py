"""The one-click links that add the demo to Cursor and VS Code. They hold no secret and no path of this machine.

Formats: https://docs.cursor.com/en/tools/developers and https://code.visualstudio.com/api/extension-guides/ai/mcp
"""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote

from liner_mcp.cli.host_config import DEMO_NAME, Json

# uvx fetches the program at each start where it is missing, so its cache may be deleted.
_ENTRY: Json = {"command": "uvx", "args": ["liner-mcp", "serve", "--demo"]}


def _cursor() -> str:
    config = b64encode(_compact(_ENTRY).encode()).decode()
    return f"https://cursor.com/en/install-mcp?name={DEMO_NAME}&config={quote(config, safe='')}"


def _vs_code() -> str:
    entry = quote(_compact({"name": DEMO_NAME, **_ENTRY}), safe=":,")
    return f"https://vscode.dev/redirect?url={quote(f'vscode:mcp/install?{entry}', safe=':/,')}"


def _compact(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


LINKS = {"cursor": _cursor(), "vscode": _vs_code()}
