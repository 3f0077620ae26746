"""litellm: one interface to the models of many makers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.converters.converting import main


def as_openai_tool(tool: dict[str, Any]) -> dict[str, Any]:
    parameters = tool["inputSchema"]
    return {
        "type": "function",
        "function": {"name": tool["name"], "description": tool["description"], "parameters": parameters},
    }


def as_gemini_tool(tool: dict[str, Any]) -> dict[str, Any]:
    gemini = import_module("litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini").VertexGeminiConfig()
    (made,) = gemini._map_function(value=[as_openai_tool(tool)], optional_params={})
    (declared,) = made["function_declarations"]
    return declared


def as_anthropic_tool(tool: dict[str, Any]) -> dict[str, Any]:
    anthropic = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()
    made, _ = anthropic._map_tool_helper(as_openai_tool(tool))
    return {"name": made["name"], "description": made["description"], "parameters": made["input_schema"]}


def as_bedrock_tool(tool: dict[str, Any]) -> dict[str, Any]:
    (made,) = import_module("litellm.litellm_core_utils.prompt_templates.factory")._bedrock_tools_pt(
        [as_openai_tool(tool)]
    )
    spec = made["toolSpec"]
    return {"name": spec["name"], "description": spec["description"], "parameters": spec["inputSchema"]["json"]}


if __name__ == "__main__":
    main({"Gemini": as_gemini_tool, "Anthropic": as_anthropic_tool, "Bedrock": as_bedrock_tool})
