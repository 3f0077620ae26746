"""What is held: where new results are worse than they may be, a sentence each.

Bars are absolute. Against the committed results, figures that are the same everywhere may grow a little (a word in a
note, not a column), times only in relation to the bare SDK on the same machine, and by much: machines are noisy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.contestants import OURS, PASSING

MORE_TOKENS = 1.02
MORE_REQUESTS = 1.01
"""None more where there are few; of hundreds made at once, some may overtake others."""
SLOWER = 1.5

Results = dict[str, Any]


def passed(new: Results, old: Results) -> list[str]:
    """The gates that `new` has passed, worst kind first; none means that all is well."""
    return [*_wrong_answers(new), *_bars(new, old), *_questions(new, old), *_prices(new, old), *_times(new, old)]


def _wrong_answers(new: Results) -> Iterator[str]:
    for name, outcome in _outcomes(new, OURS.name).items():
        if outcome["failed"]:
            yield f"{OURS.name} fails the question {name!r}: {outcome['failed']}."


def _bars(new: Results, old: Results) -> Iterator[str]:
    figures = list(new.get("figures", ()))
    if new.get("timed_figures") != old.get("timed_figures"):  # else they were kept, not measured
        figures += new.get("timed_figures") or ()
    for figure in figures:
        if figure["bar"] is not None and figure["value"] > figure["bar"]:
            value = f"{figure['value']:.4g} {figure['unit']}".rstrip()
            yield f"{figure['what']}: {value} is above its bar of {figure['bar']:g}."


def _questions(new: Results, old: Results) -> Iterator[str]:
    """Our own may not cost more; a baseline may not move unseen in either direction."""
    for contestant in new["contestants"]:
        name = contestant["name"]
        before = _outcomes(old, name)
        now = contestant["outcomes"]
        if now is None or not before:
            continue
        for question, outcome in now.items():
            if question not in before:
                yield f"the question {question!r} is not among the kept results."
                continue
            yield from _compared(f"{name}, {question!r}", outcome, before[question], both_ways=name != OURS.name)
        tokens = _of(old, name)["definitions"]["tools"]
        yield from _grown(f"{name}, definitions", contestant["definitions"]["tools"], tokens)


def _compared(what: str, now: Results, before: Results, *, both_ways: bool) -> Iterator[str]:
    if now["calls"] > before["calls"]:
        yield f"{what}: {now['calls']} tool calls, {before['calls']} before."
    if now["requests"] > before["requests"] * MORE_REQUESTS:
        yield f"{what}: {now['requests']} requests to Liner, {before['requests']} before."
    if now["failed"] != before["failed"]:
        yield f"{what}: {now['failed'] or 'right'}, {before['failed'] or 'right'} before."
    yield from _grown(f"{what}, read", now["read"], before["read"])
    yield from _grown(f"{what}, written", now["written"], before["written"])
    if both_ways:
        yield from _grown(f"{what}, read before", before["read"], now["read"])


def _grown(what: str, now: int, before: int) -> Iterator[str]:
    # A few tokens of a small answer are no news, whatever share they are.
    if now > max(before * MORE_TOKENS, before + 3):
        yield f"{what}: {now:,} tokens, {before:,} before."


def _prices(new: Results, old: Results) -> Iterator[str]:
    before = {(price["tool"], price["language"]): price["tokens"] for price in old.get("prices", {}).get("list", ())}
    for price in new.get("prices", {}).get("list", ()):
        key = (price["tool"], price["language"])
        for rows, now, was in zip(new["prices"]["rows"], price["tokens"], before.get(key, ()), strict=False):
            yield from _grown(f"{price['tool']}, {rows} rows, {price['language']}", now, was)


def _times(new: Results, old: Results) -> Iterator[str]:
    now, before = new.get("times"), old.get("times")
    if not now or not before or now == before:
        return
    ratio, was = _to_bare(now), _to_bare(before)
    if ratio > was * SLOWER:
        yield f"time for all questions to the bare SDK's: {ratio:.2f}, {was:.2f} before."


def _to_bare(times: Results) -> float:
    ours, bare = (sum(median for median, _, _ in times["seconds"][name].values()) for name in (OURS.name, PASSING.name))
    return ours / bare


def _of(results: Results, name: str) -> Results:
    found: list[Results] = [one for one in results.get("contestants", ()) if one["name"] == name]
    return found[0] if found else {}


def _outcomes(results: Results, name: str) -> Results:
    return _of(results, name).get("outcomes") or {}
