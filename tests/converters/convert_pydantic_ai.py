"""pydantic-ai: what its profiles make of a tool for the API of each maker."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.converters.converting import main


def as_gemini_tool(tool: dict[str, Any]) -> dict[str, Any]:
    return _transformed(tool, "google", "GoogleJsonSchemaTransformer", strict=None)


def as_gemini_live_tool(tool: dict[str, Any]) -> dict[str, Any]:
    return _transformed(tool, "google", "GoogleOpenAPISchemaTransformer", strict=None)


def as_openai_tool(tool: dict[str, Any]) -> dict[str, Any]:
    return _transformed(tool, "openai", "OpenAIJsonSchemaTransformer", strict=None)


def as_strict_openai_tool(tool: dict[str, Any]) -> dict[str, Any]:
    return _transformed(tool, "openai", "OpenAIJsonSchemaTransformer", strict=True)


def _transformed(tool: dict[str, Any], profile: str, name: str, *, strict: bool | None) -> dict[str, Any]:
    transformer = getattr(import_module(f"pydantic_ai.profiles.{profile}"), name)
    given = import_module("pydantic_ai.tools").ToolDefinition(
        name=tool["name"],
        description=tool["description"],
        parameters_json_schema=tool["inputSchema"],
        strict=strict,
    )
    made = import_module("pydantic_ai.models")._customize_tool_def(transformer, given)
    return {"name": made.name, "description": made.description, "parameters": made.parameters_json_schema}


if __name__ == "__main__":
    main(
        {
            "Gemini": as_gemini_tool,
            "Gemini Live": as_gemini_live_tool,
            "OpenAI": as_openai_tool,
            "OpenAI strict": as_strict_openai_tool,
        }
    )
