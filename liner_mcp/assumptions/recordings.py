"""Records and their files. Pure."""

from __future__ import annotations

from typing import cast

from liner_mcp.assumptions.evidence import (
    Evidence,
    Judged,
    RawPage,
    differs,
    envelope,
    fields_of,
    holds,
    outcome,
    refused,
    succeeded,
    untold,
)
from liner_mcp.liner.models import CallRecord


def record_detail(evidence: Evidence) -> Judged:
    answer = evidence.answers.get("record_detail")
    data = envelope(answer).get("data") if answer is not None and succeeded(answer) else None
    if not isinstance(data, dict):
        return untold(evidence.why("record_detail"))
    missing = fields_of(CallRecord) - set(cast("dict[str, object]", data))
    if not missing:
        return holds(f"all {len(fields_of(CallRecord))}")
    now = "no summary is ever told" if "recordSummary" in missing else "they stay empty"
    return differs(f"missing: {', '.join(sorted(missing))}", now)


def records_of_all(evidence: Evidence) -> RawPage | None:
    """The list of records of whatever call, if Liner gives one with anything in it."""
    page = evidence.page("records_without_call")
    return page if page is not None and page.rows else None


def records_need_call(evidence: Evidence) -> Judged:
    answer, page = evidence.answers.get("records_without_call"), evidence.page("records_without_call")
    if page is not None:
        return holds("records are listed without a call too" if page.rows else "an empty list without a call")
    if answer and refused(answer):
        return holds(f"refused without a call ({outcome(answer)})")
    return untold(evidence.why("records_without_call"))


def is_amd(evidence: Evidence) -> Judged:
    of_all, amd = records_of_all(evidence), evidence.page("amd")
    every = evidence.page("records") if of_all is None else of_all
    if amd is None:
        answer = evidence.answers.get("amd")
        return holds(f"refused ({outcome(answer)})") if answer and refused(answer) else untold(evidence.why("amd"))
    if every is None or not every.total or amd.total is None:
        return untold("no record was seen, or no total")
    if amd.total < every.total:
        return holds("honoured: fewer records with it than without")
    if of_all is None:
        return untold("all records of one call come with it too, which proves nothing")
    return holds("ignored: as many records with it as without")


def file_link(evidence: Evidence) -> Judged:
    file = evidence.file
    if file is None:
        return untold(evidence.no_file)
    where = f"{file.scheme} on {'the API host' if file.same_host else 'another host'}"
    if file.opens and file.mpeg:
        return holds(f"{where}, opens, MPEG audio")
    if file.opens:
        return differs(f"{where}, opens, not MPEG audio", "recordings are not given out")
    return differs(f"{where}, does not open: {file.trouble}", "recordings are not given out")


def record_fields(evidence: Evidence) -> Judged:
    page = next(
        (page for page in (evidence.page("records"), evidence.page("records_without_call")) if page and page.rows), None
    )
    if page is None:
        return untold(evidence.silent.get("records") or "no record was seen")
    sent = {name for row in page.rows for name in row}
    missing = fields_of(CallRecord) - sent
    if not missing:
        return holds(f"all {len(fields_of(CallRecord))}")
    now = "each record costs one more request, for its summary" if "recordSummary" in missing else "they stay empty"
    return differs(f"missing: {', '.join(sorted(missing))}", now)
