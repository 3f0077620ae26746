"""The skills: three jobs that a host may teach its model, by the extension of SEP-2640.

A skill is a Markdown resource. Its text is a prompt's text, or is made of the same rules of evidence. Only clients of
the modern era see the extension; the resources are listed for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from mcp import MCPError
from mcp.server.extension import Extension, MethodBinding, ResourceBinding
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import INVALID_PARAMS, PaginatedRequestParams, RequestParams

from liner_mcp.server import prompts
from liner_mcp.server.demo_labels import LINE

SCHEME = "skill://"
# A client may keep a skill for as long as a list of tools: it changes only with a release.
_COMPLETE = {"resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "public"}

_EXAMPLE = (
    "The period below is an example. Use the requested one in its place: today, yesterday, this_week, last_week, "
    "this_month, last_month, a month such as 2026-11, or a date as both since and until."
)
_LANGUAGE = "the language of the request"


def _review_transfers() -> str:
    return f"{_EXAMPLE}\n\n{prompts.audit_transfers(language=_LANGUAGE)}"


def _weekly_digest() -> str:
    return f"{_EXAMPLE}\n\n{prompts.daily_digest('last_week', language=_LANGUAGE)}"


def _dispute_file() -> str:
    steps = [
        "list_call_records with the call_id and summary_chars=1000: the call's facts, recordings and summaries.",
        "get_call_record for every summary_state of cut that matters for the dispute.",
        "find_calls with leads=[the call's lead_id] and since=-90d: the other calls with this client.",
        "get_call_summaries with their call_ids.",
        "Write the file: what is disputed; the facts of the call with their ids and times; for each point the quotes "
        + "for it and the quotes against it; what the data cannot show.",
        "End with the recordings that a person must hear before anyone is charged or credited.",
    ]
    return prompts.render("Prepare the file of a dispute about one call.", steps, None, _LANGUAGE)


# The name, the description (which is all that a model reads before it chooses), and the text.
SKILLS: dict[str, tuple[str, Callable[[], str]]] = {
    "review-transfers": (
        "Review the transfers of a period in Liner: was each client ready, and does the status fit? "
        + "Use for billable calls, transfer quality and wrong transfers.",
        _review_transfers,
    ),
    "weekly-digest": (
        "Write the digest of a week of calls in Liner for a supervisor: the numbers, the transfers, the calls worth "
        + "hearing. Use for weekly and monthly reports.",
        _weekly_digest,
    ),
    "dispute-file": (
        "Collect the evidence about one disputed call in Liner: facts, quotes for and against, recordings to hear. "
        + "Use when a client or an agent disputes a call, a transfer or a charge.",
        _dispute_file,
    ),
}


class GetSkill(RequestParams):
    uri: str


class Skills(Extension):
    """`skills/list`, `skills/get` and the resources. `demo`: each text says that its data is invented."""

    identifier = "io.modelcontextprotocol/skills"

    def __init__(self, *, demo: bool) -> None:
        self._demo = demo

    def resources(self) -> Sequence[ResourceBinding]:
        return [
            ResourceBinding(
                FunctionResource(
                    uri=uri_of(name),
                    name=name,
                    description=description,
                    mime_type="text/markdown",
                    fn=lambda name=name: self.text(name),
                )
            )
            for name, (description, _) in SKILLS.items()
        ]

    def methods(self) -> Sequence[MethodBinding]:
        async def list_skills(_context: Any, _params: PaginatedRequestParams) -> dict[str, Any]:
            return {**_COMPLETE, "skills": [self._entry(name) for name in SKILLS]}

        async def get_skill(_context: Any, params: GetSkill) -> dict[str, Any]:
            for name in SKILLS:
                if params.uri == uri_of(name):
                    return {**_COMPLETE, "skill": self._entry(name)}
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown skill. There are {', '.join(map(uri_of, SKILLS))}.")

        return [
            MethodBinding("skills/list", PaginatedRequestParams, list_skills),
            MethodBinding("skills/get", GetSkill, get_skill),
        ]

    def text(self, name: str) -> str:
        """The Markdown of a skill, with its YAML frontmatter."""
        description, write = SKILLS[name]
        label = f"{LINE} Say so at the top of what you write.\n\n" if self._demo else ""
        # In quotation marks, because a description holds colons.
        return f'---\nname: {name}\ndescription: "{description}"\n---\n\n{label}{write()}\n'

    def _entry(self, name: str) -> dict[str, Any]:
        content = self.text(name).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return {
            "uri": uri_of(name),
            "frontmatter": {"name": name, "description": SKILLS[name][0]},
            "resources": [{"uri": uri_of(name), "digest": digest, "size": len(content)}],
        }


def uri_of(name: str) -> str:
    return f"{SCHEME}{name}/SKILL.md"
