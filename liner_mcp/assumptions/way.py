"""The way to Liner and the forms of what comes: paths, clocks, limits, spellings, refusals. Pure."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from liner_mcp.assumptions.evidence import (
    Evidence,
    Judged,
    Step,
    differs,
    envelope,
    fields_of,
    holds,
    message_of,
    outcome,
    refused,
    succeeded,
    untold,
)
from liner_mcp.errors import UnreadableAnswer
from liner_mcp.liner import protocol
from liner_mcp.liner.models import Call, CallRecord, Identified, Order
from liner_mcp.liner.raw import RawAnswer

CLOCKS_AGREE_SECONDS = 60.0  # windows are asked in minutes and hours; a recording takes longer to be listed


def trailing_slash(evidence: Evidence) -> Judged:
    with_slash, bare = evidence.answers.get("orders"), evidence.answers.get("orders_bare")
    other = "not asked" if bare is None else "answers" if succeeded(bare) else outcome(bare)
    if with_slash is None:
        return untold(evidence.why("orders"))
    if with_slash.leads == "away":
        return differs("with a slash: a redirect to another host", "nothing is read: the token is not sent there")
    if with_slash.leads == "on":
        return differs("with a slash: redirects without end", "nothing is read")
    if with_slash.hops and succeeded(with_slash):
        return differs(f"with a slash: a redirect; without: {other}", "every request to Liner costs two")
    if succeeded(with_slash):
        return holds(f"with a slash: answers; without: {other}")
    if succeeded(bare):
        return differs(f"with a slash: {outcome(with_slash)}; without: answers", "nothing is read")
    return untold(evidence.why("orders"))


def clock(evidence: Evidence) -> Judged:
    measured = [found for answer in evidence.answers.values() if (found := _clock_difference(answer)) is not None]
    if not measured:
        return untold("no Date header was sent")
    seconds = min(measured, key=abs)  # the slower the answer, the further its Date is from now
    found = "agrees within 2 s" if abs(seconds) <= 2 else f"Liner's is {abs(seconds):.0f} s " + (
        "ahead" if seconds > 0 else "behind"
    )  # fmt: skip
    if abs(seconds) <= CLOCKS_AGREE_SECONDS:
        return holds(found)
    return differs(found, "windows that end now, and words such as -1h, are off by as much; set this machine's clock")


def _clock_difference(answer: RawAnswer) -> float | None:
    """Seconds by which Liner's clock is ahead."""
    try:
        moment = parsedate_to_datetime(answer.headers["date"])
        # The header has whole seconds: on average half of one is cut off.
        return (moment - answer.sent_at).total_seconds() + 0.5 - (answer.got_at - answer.sent_at).total_seconds() / 2
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


_LIMIT = re.compile(r"(x-)?rate-?limit(-(limit|remaining|reset|policy|used))?")
_COUNT = re.compile(r"[0-9]{1,6}")


def rate_headers(evidence: Evidence) -> Judged:
    if not evidence.answers:
        return untold("there was no answer")
    limits: dict[str, str] = {}
    for answer in evidence.answers.values():
        limits |= {name: value for name, value in answer.headers.items() if "ratelimit" in name.replace("-", "")}
    waits = any("retry-after" in answer.headers for answer in evidence.answers.values())
    if not limits:
        return holds("Retry-After is sent" if waits else "none sent")
    # Only what is surely a limit: another header of that kind may say whose it is.
    sure = {name: value for name, value in limits.items() if _LIMIT.fullmatch(name) and _COUNT.fullmatch(value)}
    shown = sorted(f"{name} {value}" for name, value in sure.items())
    shown += [f"{len(limits) - len(shown)} others"] if len(shown) < len(limits) else []
    return differs(
        ", ".join(one[:60] for one in shown[:4]), "they are not read: keep LINER_REQUESTS_PER_SECOND below the limit"
    )


_MODELS: tuple[tuple[Step, type[Identified]], ...] = (("orders", Order), ("calls", Call), ("records", CallRecord))


def values(evidence: Evidence) -> Judged:
    seen = [(page, answer, model) for step, model in _MODELS if (page := evidence.page(step)) is not None
            and page.rows and (answer := evidence.answers.get(step))]  # fmt: skip
    if not seen:
        return untold("no list with rows was seen")
    as_text: set[str] = set()
    for page, answer, model in seen:
        try:
            protocol.read_list(envelope(answer)["data"], model)
        except UnreadableAnswer as error:
            return differs(str(error).removeprefix("Liner's answer could not be read: "), "such lists cannot be read")
        numeric = {name for name in fields_of(model) if name == "id" or name.endswith(("Id", "Seconds"))}
        for row in page.rows:
            as_text |= {name for name in numeric if isinstance(row.get(name), str)}
    return holds(f"as text: {', '.join(sorted(as_text))}" if as_text else "numbers are numbers")


def dictionary_paths(evidence: Evidence) -> Judged:
    singular, plural = evidence.answers.get("singular"), evidence.answers.get("plural")
    if succeeded(singular):
        return holds("singular" + (", and plural" if succeeded(plural) else ""))
    if refused(singular) and succeeded(plural):
        return differs("plural only", "each dictionary costs one request more, once")
    if refused(singular) and refused(plural):
        return differs("neither", "statuses have no names, and cannot be asked for")
    return untold(evidence.why("plural" if refused(singular) else "singular"))


def calls_need_ids(evidence: Evidence) -> Judged:
    answer, page = evidence.answers.get("no_ids"), evidence.page("no_ids")
    if page is not None and page.rows:
        return differs("calls are listed without them", "orders are asked by id all the same")
    if page is not None:
        return holds("an empty list without them")
    return (
        holds(f"refused without them ({outcome(answer)})")
        if answer and refused(answer)
        else untold(evidence.why("no_ids"))
    )


def unknown_id(evidence: Evidence) -> Judged:
    answer = evidence.answers.get("unknown_id")
    if answer is None or answer.leads or answer.status in (401, 403, 429):
        return untold(evidence.why("unknown_id"))
    if answer.status == 404:
        return holds(outcome(answer))
    if succeeded(answer) and envelope(answer)["data"]:
        return untold("there is such an id, or something is told of it all the same")
    found = "an empty success" if succeeded(answer) else outcome(answer)
    return differs(found, "ids that Liner does not know are told as failed, not as not_found")


def refusals(evidence: Evidence) -> Judged:
    steps: tuple[Step, ...] = ("no_ids", "unknown_id", "calls_over", "records_without_call")
    # A missing right or a failure of Liner is no refusal of a question, and its words may name somebody.
    seen = [answer for step in steps if (answer := evidence.answers.get(step)) and refused(answer)]
    if not seen:
        return untold("nothing was refused")
    found = "; ".join(dict.fromkeys(f"{outcome(answer)}, {message_of(answer)}" for answer in seen))
    read = [answer for answer in seen if answer.status != 404]  # of which the status says everything
    if all(isinstance(envelope(answer).get("message"), str) for answer in read):
        return holds(found)
    return differs(found, "Liner's reason for a refusal is not told")
