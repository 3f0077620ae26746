"""openai-agents: the SDK for agents of OpenAI, with strict schemas and without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.converters.converting import main


def strict(tool: dict[str, Any]) -> dict[str, Any]:
    # The SDK falls back to a loose schema without a word; the function underneath says why.
    import_module("agents.strict_schema").ensure_strict_json_schema(tool["inputSchema"], _reject_open_objects=True)
    return _function_tool(tool, strict=True)


def loose(tool: dict[str, Any]) -> dict[str, Any]:
    return _function_tool(tool, strict=False)


def _function_tool(tool: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    agents = import_module("agents.mcp")
    server = agents.MCPServerStdio({"command": "never-started"})
    made = agents.MCPUtil.to_function_tool(import_module("mcp.types").Tool.model_validate(tool), server, strict)
    assert made.strict_json_schema is strict
    return {"name": made.name, "description": made.description, "parameters": made.params_json_schema}


if __name__ == "__main__":
    main({"strict": strict, "not strict": loose})
