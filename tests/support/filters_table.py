"""The table of filters in docs/filters.md, made of the declarations. To print it:

.venv/bin/python -m tests.support.filters_table
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from pydantic.alias_generators import to_camel

from liner_mcp.calls.arguments import FILTERS, Filter
from tests.support import snapshots

PAGE = Path(__file__).parent.parent.parent / "docs" / "filters.md"


def rows(published: Mapping[str, Any]) -> list[str]:
    """The rows of the table; `published` is the schema of each argument of find_calls."""
    return [
        f"| `{name}` | {_takes(declared, published[name])} | {declared.selects} | {_applied_by(declared)} |"
        for name, declared in FILTERS.items()
    ]


def rows_of(page: str) -> list[str]:
    """The rows of the table in a page."""
    return [line for line in page.splitlines() if line.startswith("| `")]


def _takes(declared: Filter, schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        return "ids or names" if declared.names else "ids"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    return {"boolean": "`true` or `false`", "integer": f"a whole number from {schema.get('minimum')}"}.get(
        schema["type"], "text"
    )


def _applied_by(declared: Filter) -> str:
    if declared.parameter is not None:
        return f"Liner (`{to_camel(declared.parameter)}`)"
    return "this server, by the recordings" if declared.decides is not None else "this server"


async def _print() -> None:
    (tool,) = [tool for tool in (await snapshots.surface())["tools"] if tool["name"] == "find_calls"]
    for row in rows(tool["inputSchema"]["properties"]):
        print(row)  # noqa: T201 - to be pasted into the page


if __name__ == "__main__":
    anyio.run(_print)
