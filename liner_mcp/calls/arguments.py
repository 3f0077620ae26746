"""The arguments of every question about calls, and the declaration of each filter among them.

A filter is declared once, as the annotation of its argument in `CallQuery`. The parameters of find_calls and
call_stats, the checks of calls and of recordings, `asked`, `local_filters`, hints and cursors are derived from it, and
the table in docs/filters.md is compared with it. docs/contributing.md shows how to add a filter.

The server imports this module at start to publish the parameters, so it imports nothing that reads Liner. Annotations
are evaluated here, without `from __future__`: a function inside a text annotation would not see the module's names.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from liner_mcp.argument_types import WORD, Flag, Ids, IdsOrNames, Seconds, TimeExpression, Words

if TYPE_CHECKING:
    from liner_mcp.calls.recordings import CallRecordings
    from liner_mcp.liner.models import CallRecord
    from liner_mcp.names.directory import Kind


@dataclass(frozen=True, slots=True)
class Mention:
    """Whether a summary has all words that are wanted, and some that are unwanted; None where it was not read whole.

    `passage`: the part of the summary that shows them.
    """

    wanted: bool | None
    unwanted: bool | None
    passage: str | None = None

    @property
    def matches(self) -> bool | None:
        return _both(self.wanted, _is(self.unwanted, False))


@dataclass(frozen=True, slots=True)
class Filter:
    """How one filter works. It has `field` and `matches`, or `decides`; both functions get the resolved value of its
    argument.

    `selects`: what passes, for the table in the docs. `field`: the field of a call that the filter needs; a call of
    which Liner does not send it cannot be decided. `matches`: whether a known value of that field passes. `decides`:
    whether a call passes by its recordings, None where they do not decide it; this costs one request per recorded call.
    `of_summaries`: it needs their summaries too, which one version of Liner's lists leaves out.
    `parameter`: the field of `liner.endpoints.CallFilter` by which Liner applies the filter itself. `names`: the
    dictionaries in which `calls/query.py` looks up names.
    """

    selects: str
    field: str = ""
    matches: Callable[[Any, Any], bool] | None = None
    decides: "Callable[[CallRecordings, Any], bool | None] | None" = None
    of_summaries: bool = False
    parameter: str | None = None
    names: "tuple[Kind, ...]" = ()


def _is(found: bool | None, wanted: bool) -> bool | None:
    return None if found is None else found is wanted


def _both(one: bool | None, other: bool | None) -> bool | None:
    return False if False in (one, other) else None if None in (one, other) else True


def lacks_summary(record: "CallRecord") -> bool | None:
    """Whether Liner has no summary of a record; None where it did not send the field."""
    return not (record.record_summary or "").strip() if record.was_sent("record_summary") else None


def _has_summary(recordings: "CallRecordings", wanted: bool) -> bool | None:
    lacking = recordings.some(lacks_summary)
    if wanted and not recordings.records and lacking is False:
        return False  # a call without recordings has none with a summary
    return _is(lacking, not wanted)


def _mentions(recordings: "CallRecordings", _: str) -> bool | None:
    unwanted = recordings.some(lambda record: recordings.mentions[record.id].unwanted)
    return _both(recordings.some(lambda record: recordings.mentions[record.id].wanted), _is(unwanted, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFilters:
    """The filters whose argument needs no resolution. A field left at None does not narrow."""

    direction: Annotated[
        Annotated[Literal["incoming", "outgoing"], WORD] | None,
        Filter("calls in this direction", field="direction", matches=lambda direction, wanted: direction == wanted),
    ] = None
    min_talk_seconds: Annotated[
        Seconds,
        Filter(
            "calls with at least this much talk",
            field="talk_time_duration_seconds",
            matches=lambda talk, least: talk >= least,
        ),
    ] = None
    max_talk_seconds: Annotated[
        Seconds,
        Filter(
            "calls with at most this much talk",
            field="talk_time_duration_seconds",
            matches=lambda talk, most: talk <= most,
        ),
    ] = None
    recorded: Annotated[
        Flag,
        Filter(
            "calls with, or without, a recording",
            field="has_records",
            matches=lambda recorded, wanted: recorded is wanted,
        ),
    ] = None
    transferred: Annotated[
        Flag,
        Filter(
            "calls with, or without, a recording of the handover to the sales desk",
            decides=lambda recordings, wanted: _is(recordings.some(lambda record: record.is_transfer), wanted),
        ),
    ] = None
    has_summary: Annotated[
        Flag,
        Filter(
            "calls whose recordings all have a summary, or of which some has none",
            decides=_has_summary,
            of_summaries=True,
        ),
    ] = None
    mentions: Annotated[
        Words,
        Filter("calls with these words in a summary, in any form", decides=_mentions, of_summaries=True),
    ] = None
    hung_up_by: Annotated[
        Annotated[Literal["client", "operator", "system"], WORD] | None,
        Filter("calls that this side ended", field="finish_initiator", matches=lambda side, wanted: side == wanted),
    ] = None


@dataclass(frozen=True, slots=True)
class CallQuery(PlainFilters):
    """A question about calls, as it was sent: a window and filters. None and an empty tuple do not narrow."""

    since: TimeExpression = None
    until: TimeExpression = None
    hours: Annotated[
        TimeExpression,
        Filter(
            "calls in these hours of the day, such as `9-18` or `22-6`",
            field="created_at",
            matches=lambda moment, span: span.contains(moment),
        ),
    ] = None
    orders: Annotated[
        IdsOrNames,
        Filter(
            "calls of these orders",
            field="order_id",
            matches=lambda order, ids: order in ids,
            parameter="order_ids",
            names=("orders",),
        ),
    ] = ()
    leads: Annotated[
        Ids,
        Filter("calls to these leads", "lead_id", lambda lead, ids: lead in ids, parameter="lead_ids"),
    ] = ()
    agents: Annotated[
        IdsOrNames,
        Filter(
            'calls of these agents; the name of an agent group stands for its agents, "no agent" for calls without one',
            field="user_id",
            matches=lambda agent, ids: agent in ids,
            parameter="user_ids",
            names=("agents", "agent_groups"),
        ),
    ] = ()
    statuses: Annotated[
        IdsOrNames,
        Filter(
            "calls with one of these statuses",
            field="status_code",
            matches=lambda code, codes: code in codes,
            parameter="status_ids",
            names=("call_statuses",),
        ),
    ] = ()


def _declared() -> dict[str, Filter]:
    hints = get_type_hints(CallQuery, include_extras=True)
    return {
        name: declared
        for name in inspect.signature(CallQuery).parameters  # in the order in which tools publish them
        for declared in getattr(hints[name], "__metadata__", ())
        if isinstance(declared, Filter)
    }


FILTERS: Mapping[str, Filter] = _declared()
"""Every filter by the name of its argument."""
