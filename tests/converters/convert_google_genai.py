"""google-genai: the SDK of the Gemini API."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from tests.converters.converting import main


def as_mcp_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """What the SDK does with the tools of an MCP session."""
    given = SimpleNamespace(name=tool["name"], description=tool["description"], input_schema=tool["inputSchema"])
    (declared,) = import_module("google.genai._mcp_utils").mcp_to_gemini_tool(given).function_declarations
    return declared.model_dump(mode="json", by_alias=True, exclude_none=True)


def as_json_schema(tool: dict[str, Any]) -> dict[str, Any]:
    """What a program does that converts schemas itself, and wants to hear of each part that is not supported."""
    types = import_module("google.genai.types")
    schema = types.Schema.from_json_schema(
        json_schema=types.JSONSchema.model_validate(tool["inputSchema"]), raise_error_on_unsupported_field=True
    )
    parameters = schema.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"name": tool["name"], "description": tool["description"], "parameters": parameters}


if __name__ == "__main__":
    main({"mcp_to_gemini_tool": as_mcp_tool, "Schema.from_json_schema": as_json_schema})
