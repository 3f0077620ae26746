"""Completions: what a person begins to type in a prompt or a resource address.

Ids that this process listed recently, names from Liner's dictionaries, and the periods with a name. Only for a server
that one person uses: what others listed is not for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from liner_mcp.errors import LinerMcpError
from liner_mcp.server.lazy import answering
from liner_mcp.server.runtime import Office

if TYPE_CHECKING:
    from liner_mcp.context import Desk
    from liner_mcp.names.directory import Kind

MAX_COMPLETIONS = 100  # the protocol's limit
MAX_BEGUN = 200  # characters typed so far; no name is as long
PERIODS = ("today", "yesterday", "this_week", "last_week", "this_month", "last_month")
NAMED: dict[str, tuple[Kind, ...]] = {"agent": ("agents", "agent_groups"), "order": ("orders",)}


class Completions:
    """Answers the protocol's completion requests."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,  # noqa: ARG002 - a name means the same wherever it stands
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG002 - the protocol's signature
    ) -> Completion | None:
        """What could be meant; nothing at all when it cannot be told, for a completion is a courtesy."""
        if len(argument.value) > MAX_BEGUN:
            return None
        if argument.name == "period":
            found = [period for period in PERIODS if period.startswith(argument.value)]
        else:
            try:
                found = await self._found(self._office.desk(), argument.name, argument.value)
            except LinerMcpError:
                return None
        return Completion(values=found[:MAX_COMPLETIONS], total=len(found), has_more=len(found) > MAX_COMPLETIONS)

    async def _found(self, desk: Desk, name: str, begun: str) -> list[str]:
        if name == "call_id":
            return desk.recent_calls.beginning_with(begun)
        if name == "record_id":
            return desk.recent_records.beginning_with(begun)
        answers = answering()
        wanted = answers.folded(begun)
        entries = [entry for kind in NAMED.get(name, ()) for entry in await desk.directory.entries(kind)]
        return sorted(
            entry.name for entry in entries if entry.name and answers.contains(wanted, answers.folded(entry.name))
        )
