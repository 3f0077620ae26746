"""langchain-google-genai: Gemini behind LangChain, which hands the schema of an MCP tool on as it is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.converters.converting import main


def as_openai_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """What LangChain sends to OpenAI and to the many APIs that take the same."""
    given = {"title": tool["name"], "description": tool["description"], **tool["inputSchema"]}
    return import_module("langchain_core.utils.function_calling").convert_to_openai_tool(given)["function"]


def as_gemini_tool(tool: dict[str, Any]) -> dict[str, Any]:
    functions = import_module("langchain_google_genai._function_utils")
    (made,) = functions.convert_to_genai_function_declarations([as_openai_tool(tool)])
    (declared,) = made.function_declarations
    return declared.model_dump(mode="json", by_alias=True, exclude_none=True)


if __name__ == "__main__":
    main({"OpenAI": as_openai_tool, "Gemini": as_gemini_tool})
