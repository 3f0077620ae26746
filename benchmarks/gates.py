"""The regression gates: a sentence for each new result that is worse than allowed.

`new` holds the parts that were measured now, `old` all stored ones. Limits are absolute. Compared with the stored
results, exact figures may grow a little (a word in a note, not a column). Times are compared relative to the bare SDK
on the same machine, with a wide margin, because machines are noisy. A figure that is only in the old or only in the new
results of a part is reported too, because it would not be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.contestants import OURS, OWN, PASSING
from benchmarks.figures import holds
from benchmarks.results import Document, Results, figures_of

MORE_TOKENS = 1.02
MORE_REQUESTS = 1.01
"""Allows no more if there are few; among hundreds in parallel, the order may differ a little."""
SLOWER = 1.5


def passed(new: Results, old: Results) -> list[str]:
    """A sentence for each limit that `new` exceeds, the worst kind first."""
    return [
        *_wrong_answers(new),
        *_bars(new),
        *_figures(new, old),
        *_questions(new, old),
        *_prices(new, old),
        *_times(new, old),
    ]


def _wrong_answers(new: Results) -> Iterator[str]:
    for contestant in OWN:
        for name, outcome in _outcomes(new, contestant).items():
            if outcome["failed"]:
                yield f"{contestant} fails the question {name!r}: {outcome['failed']}."


def _bars(new: Results) -> Iterator[str]:
    for _, engine, figure in figures_of(new):
        if not holds(figure["value"], figure["bar"], at_least=figure["at_least"]):
            value = f"{figure['value']:.4g} {figure['unit']}".rstrip()
            side = "below its least" if figure["at_least"] else "above its bar"
            what = f"{figure['what']}, {engine}" if engine else figure["what"]
            yield f"{what}: {value} is {side} of {figure['bar']:g}."


def _figures(new: Results, old: Results) -> Iterator[str]:
    """Exact figures may get only a little worse, with or without a limit."""
    for part, document in new.items():
        if not any(figure["exact"] for figure in document.get("figures", ())) or part not in old:
            continue
        now, before = ({figure["what"]: figure for figure in of.get("figures", ())} for of in (document, old[part]))
        yield from _unmatched("figure", now, before)
        for what in (what for what in now if what in before):
            value, was = now[what]["value"], before[what]["value"]
            if value * MORE_TOKENS < was if now[what]["at_least"] else value > was * MORE_TOKENS:
                yield f"{what}: {value:.4g}, {was:.4g} before."
            if _moved(now[what]["bare"] or 0, before[what]["bare"] or 0):
                yield f"{what}, {PASSING.name}: {now[what]['bare']}, {before[what]['bare']} before."


def _questions(new: Results, old: Results) -> Iterator[str]:
    """Our cost may not grow. A baseline may not change in either direction without a report."""
    for contestant in new.get("questions", {}).get("contestants", ()):
        name = contestant["name"]
        before = _outcomes(old, name)
        now = contestant["outcomes"]
        if now is None:
            continue
        yield from _unmatched(f"question of {name}", now, before)
        for question in (question for question in now if question in before):
            outcome, was = now[question], before[question]
            if outcome["failed"] != was["failed"]:
                yield f"{name}, {question!r}: {outcome['failed'] or 'right'}, {was['failed'] or 'right'} before."
            yield from _compared(f"{name}, {question!r}", outcome, was)
            if name not in OWN:
                yield from _compared(f"{name}, {question!r}, the other way", was, outcome)
        tokens: dict[str, int] = contestant["definitions"]
        for part, was in (_of(old, name).get("definitions") or tokens).items():
            yield from _grown(f"{name}, definitions: {part}", tokens[part], was)
            if name not in OWN:
                yield from _grown(f"{name}, definitions: {part}, the other way", was, tokens[part])


def _compared(what: str, now: Document, before: Document) -> Iterator[str]:
    if now["calls"] > before["calls"]:
        yield f"{what}: {now['calls']} tool calls, {before['calls']} before."
    if now["requests"] > before["requests"] * MORE_REQUESTS:
        yield f"{what}: {now['requests']} requests to Liner, {before['requests']} before."
    yield from _grown(f"{what}, read", now["read"], before["read"])
    yield from _grown(f"{what}, written", now["written"], before["written"])


def _grown(what: str, now: int, before: int) -> Iterator[str]:
    # A few tokens of a small answer do not matter, even if they are a large share.
    if now > max(before * MORE_TOKENS, before + 3):
        yield f"{what}: {now:,} tokens, {before:,} before."


def _moved(now: float, before: float) -> bool:
    return max(now, before) > min(now, before) * MORE_TOKENS


def _unmatched(kind: str, now: Iterable[str], before: Iterable[str]) -> Iterator[str]:
    for what in sorted(set(now) ^ set(before)):
        where = "stored results" if what in set(now) else "new results"
        yield f"the {kind} {what!r} is not among the {where}."


def _prices(new: Results, old: Results) -> Iterator[str]:
    if "prices" not in new:
        return
    now, before = _by_answer(new), _by_answer(old)
    yield from _unmatched("price of", now, before)
    for what in (what for what in now if what in before):
        (ours, bare), (was, bare_was) = now[what], before[what]
        yield from _grown(what, ours, was)
        if _moved(bare, bare_was):
            yield f"{what}, {PASSING.name}: {bare:,} tokens, {bare_was:,} before."


def _by_answer(results: Results) -> dict[str, tuple[int, int]]:
    """Per tool, number of rows and language: our tokens and those of the bare SDK."""
    prices = results.get("prices", {"rows": (), "list": ()})
    return {
        f"{price['tool']}, {rows} rows, {price['language']}": (ours, bare)
        for price in prices["list"]
        for rows, ours, bare in zip(
            prices["rows"], price["tokens"], price["bare"], strict=False
        )  # a tool for one thing has one row
    }


def _times(new: Results, old: Results) -> Iterator[str]:
    now, before = new.get("times"), old.get("times")
    if not now or not before:
        return
    # A question without times from before, or without times of one contestant, is left out.
    seconds = [times["seconds"][name] for times in (now, before) for name in (OURS.name, PASSING.name)]
    common = set[str].intersection(*map(set, seconds))
    ours, bare, ours_before, bare_before = (sum(of[question][0] for question in common) for of in seconds)
    if common and ours / bare > ours_before / bare_before * SLOWER:
        ratio, was = ours / bare, ours_before / bare_before
        yield f"time for all questions to the bare SDK's: {ratio:.2f}, {was:.2f} before."


def _of(results: Results, name: str) -> Document:
    """A contestant."""
    listed: list[Document] = results.get("questions", {}).get("contestants", [])
    found = [one for one in listed if one["name"] == name]
    return found[0] if found else {}


def _outcomes(results: Results, name: str) -> Document:
    return _of(results, name).get("outcomes") or {}
