"""The view in the chat, by the MCP Apps extension: which tools it shows, its page, and the tool that it alone uses.

A tool's answer is complete without the view, because many hosts do not show it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NotRequired

from mcp.server.apps import APP_MIME_TYPE, Apps, ResourceCsp, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool

# pydantic reads the published schema from this class and needs this one before Python 3.12.
from typing_extensions import TypedDict

from liner_mcp.answer.table import Answer
from liner_mcp.argument_types import Id
from liner_mcp.server.arguments import AudioStart
from liner_mcp.server.lazy import answering
from liner_mcp.server.runtime import Runtime
from liner_mcp.server.schemas import declared_names, tool, tools_of

SCHEME = "ui://"
VIEW_URI = f"{SCHEME}liner-mcp/calls.html"
APPS_KEY = "liner_mcp.apps"
"""The key in an ASGI scope that marks a request of a client that declared MCP Apps before."""
# The tools whose answers are tables of calls. Some hosts read only the second spelling of the link.
SHOWN_TOOLS = frozenset({"find_calls", "call_stats", "list_call_records", "get_call_summaries"})
_LINK: dict[str, Any] = {"ui": {"resourceUri": VIEW_URI}, "ui/resourceUri": VIEW_URI}
_APP_ONLY: dict[str, Any] = {"ui": {"visibility": ["app"]}}


class AudioPiece(TypedDict):
    """A piece of a recording. `size` is that of the whole file in bytes; `next_start` begins the next piece."""

    record_id: int
    start: int
    size: int
    next_start: NotRequired[int]
    base64: str


class ViewTools:
    """The tool of the view. A model does not see it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @tool("Play a recording", AudioPiece)
    async def read_audio(self, ctx: Context[Any, Any], record_id: Id, start: AudioStart = 0) -> Answer:  # noqa: ARG002 - the SDK passes it by this name
        """A piece of a recording as MPEG audio in base64, for the view in the chat."""
        return await answering().read_audio_piece(self._runtime.context(), record_id, start)


VIEW_TOOLS = frozenset(declared_names(ViewTools))


def linked(tools: list[Tool]) -> list[Tool]:
    """The tools, with a link to the view where it can show their answers."""
    return [one.model_copy(update={"meta": _LINK}) if one.name in SHOWN_TOOLS else one for one in tools]


def view_tools(runtime: Runtime) -> list[Tool]:
    """The tools that only the view calls; none if recordings are not given out."""
    if runtime.listed.audio == "off":
        return []
    return [one.model_copy(update={"meta": _APP_ONLY}) for one in tools_of(ViewTools(runtime))]


def extension(runtime: Runtime) -> Apps:
    """The extension with the page of the view."""
    page = (files("liner_mcp.server") / "view.html").read_text(encoding="utf-8")
    apps = Apps()
    apps.add_html_resource(
        VIEW_URI,
        page.replace("<html ", '<html data-audio="off" ', 1) if runtime.listed.audio == "off" else page,
        name="view",
        title="Calls as a table, with player",
        description="The view that a host shows for an answer about calls. It fetches nothing from the network.",
        # Stated here and not on the tools, because some hosts read only the resource. Empty lists: nothing is allowed.
        csp=ResourceCsp(connect_domains=[], resource_domains=[]),
        prefers_border=True,
    )
    return apps


async def hide_view_tools(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware for the SDK: lists the tools of the view only for a client that declares MCP Apps.

    In the modern era each request declares it. In the older one `initialize` does: over stdio the SDK remembers it, and
    over HTTP the request is marked. Some hosts show their model every listed tool, whatever its visibility says.
    """
    result = await call_next(ctx)
    marked = ctx.request is not None and APPS_KEY in ctx.request.scope
    if ctx.method != "tools/list" or not isinstance(result, dict) or marked or client_supports_apps(ctx):
        return result
    return {**result, "tools": [one for one in result["tools"] if one.get("_meta") != _APP_ONLY]}


def initialize_declares_apps(message: Any) -> bool:
    """Whether a JSON-RPC message is an `initialize` that declares MCP Apps."""
    match message:
        case {
            "method": "initialize",
            "params": {"capabilities": {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": [*types]}}}},
        }:
            return APP_MIME_TYPE in types
        case _:
            return False
