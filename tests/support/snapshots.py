"""What we show the world, written down: the whole surface, one full answer per tool, and the lists of the bundle.

Refresh after a change that is meant, then read the difference as a user would:

    .venv/bin/python -m tests.support.snapshots
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.types import CallToolResult

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.support.account import ACCOUNT

FOLDER = Path(__file__).parent.parent / "snapshots"
SURFACE = FOLDER / "surface.json"
ANSWERS = FOLDER / "answers.json"
MANIFEST = FOLDER.parent.parent / "bundle" / "manifest.json"

# One call per tool that shows most of what an answer can hold. The second is the README's example.
TOOL_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_call_records", {"call_id": 7003900, "summary_chars": 400}),
    ("get_call_summaries", {"call_ids": [7003898, 7003901, 7003900, 7003897], "summary_chars": 60}),
    ("get_call_summaries", {"call_ids": [7003903, 7003903, 12], "summary_chars": 0}),
)


def pretty(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False, indent=1) + "\n"


def demo_client(dataset: Dataset) -> Client:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    return Client(create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)), now=lambda: NOW))


async def surface() -> dict[str, Any]:
    """Everything that a host can list, as it goes over MCP."""
    async with demo_client(Dataset.generate(now=NOW, calls=10, days=2)) as client:
        listings = {
            "tools": (await client.list_tools()).tools,
            "resources": (await client.list_resources()).resources,
            "resource_templates": (await client.list_resource_templates()).resource_templates,
            "prompts": (await client.list_prompts()).prompts,
        }
        shown = {
            name: [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in items]
            for name, items in listings.items()
        }
        return {"instructions": client.instructions, **shown}


async def answers(dataset: Dataset) -> list[dict[str, Any]]:
    """The answers to QUESTIONS."""
    async with demo_client(dataset) as client:
        found: list[dict[str, Any]] = []
        for tool, arguments in TOOL_CALLS:
            result = await client.call_tool(tool, arguments)
            assert isinstance(result, CallToolResult)
            found.append({"tool": tool, "arguments": arguments, "answer": result.structured_content})
        return found


def manifest_lists(shown: dict[str, Any]) -> dict[str, Any]:
    """The tools and prompts of a surface, as the manifest of the bundle lists them."""
    prompts = [
        {
            "name": prompt["name"],
            "description": prompt["description"],
            "arguments": [argument["name"] for argument in prompt.get("arguments", ())],
            "text": prompt["description"],  # required, and used by no host: the server writes the prompt
        }
        for prompt in shown["prompts"]
    ]
    tools = [{"name": tool["name"], "description": tool["title"]} for tool in shown["tools"]]
    return {"tools": tools, "prompts": prompts}


async def _refresh() -> None:
    FOLDER.mkdir(exist_ok=True)
    shown = await surface()
    SURFACE.write_text(pretty(shown), encoding="utf-8")
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8")) | manifest_lists(shown)
    MANIFEST.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    ANSWERS.write_text(pretty(await answers(Dataset.generate(now=NOW))), encoding="utf-8")


if __name__ == "__main__":
    anyio.run(_refresh)
