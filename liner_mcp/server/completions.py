"""Completions of arguments in prompts and resource addresses.

They are recently listed ids, names from Liner's dictionaries, and named periods. Only a server for one person offers
them: ids that one user listed are not shown to another.
"""

from __future__ import annotations

from collections.abc import Sequence
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
            return _completion([period for period in PERIODS if period.startswith(argument.value)])
        try:
            return await self._matches(self._runtime.context(), argument.name, argument.value)
        except LinerMcpError:
            return None

    async def _matches(self, context: AppContext, name: str, prefix: str) -> Completion:
        if name == "call_id":
            return _completion(context.recent_calls.starting_with(prefix))
        if name == "record_id":
            return _completion(context.recent_records.starting_with(prefix))
        answers = answering()
        wanted = answers.normalize_name(prefix)
        kinds = DIRECTORY_KINDS.get(name, ())
        dictionaries = [
            # Agents are offered where groups cannot be read.
            await (context.directory.read_if_possible if kind == "agent_groups" else context.directory.read)(kind)
            for kind in kinds
        ]
        found = sorted(
            entry.name
            for dictionary in dictionaries
            for entry in dictionary.entries
            if entry.name and answers.contains(wanted, answers.normalize_name(entry.name))
        )
        return _completion(found, whole=all(dictionary.doubt is None for dictionary in dictionaries))


def _completion(found: Sequence[str], *, whole: bool = True) -> Completion:
    """Without a total where not all names could be read."""
    more = len(found) > MAX_COMPLETIONS
    return Completion(
        values=list(found[:MAX_COMPLETIONS]),
        total=len(found) if whole else None,
        has_more=more if whole or more else None,
    )
