"""Completions of arguments in prompts and resource addresses.

They are recently listed ids, names from Liner's dictionaries, and named periods. Only a server for one person offers
them: ids that one user listed are not shown to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from liner_mcp.errors import LinerMcpError
from liner_mcp.server.lazy import answering
from liner_mcp.server.runtime import Runtime

if TYPE_CHECKING:
    from liner_mcp.context import AppContext
    from liner_mcp.names.directory import Kind

MAX_COMPLETIONS = 100  # the protocol's limit
MAX_PREFIX = 200  # characters typed so far; no name is as long
PERIODS = ("today", "yesterday", "this_week", "last_week", "this_month", "last_month")
DIRECTORY_KINDS: dict[str, tuple[Kind, ...]] = {"agent": ("agents", "agent_groups"), "order": ("orders",)}


class Completions:
    """Answers the protocol's completion requests."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,  # noqa: ARG002 - an argument's name means the same everywhere
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG002 - the protocol's signature
    ) -> Completion | None:
        """The matches; None if they cannot be read, because a completion is optional."""
        if len(argument.value) > MAX_PREFIX:
            return None
        if argument.name == "period":
            found = [period for period in PERIODS if period.startswith(argument.value)]
        else:
            try:
                found = await self._matches(self._runtime.context(), argument.name, argument.value)
            except LinerMcpError:
                return None
        return Completion(values=found[:MAX_COMPLETIONS], total=len(found), has_more=len(found) > MAX_COMPLETIONS)

    async def _matches(self, context: AppContext, name: str, prefix: str) -> list[str]:
        if name == "call_id":
            return context.recent_calls.starting_with(prefix)
        if name == "record_id":
            return context.recent_records.starting_with(prefix)
        answers = answering()
        wanted = answers.normalize_name(prefix)
        entries = [entry for kind in DIRECTORY_KINDS.get(name, ()) for entry in await context.directory.entries(kind)]
        return sorted(
            entry.name
            for entry in entries
            if entry.name and answers.contains(wanted, answers.normalize_name(entry.name))
        )
