"""Which claims of `call_stats` are false."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.claims.answers import Falsehood, Page
from tests.claims.meaning import Meaning
from tests.claims.truth import (
    ADDITIVE,
    MEDIANS,
    RECORDINGS,
    WEEKDAYS,
    Key,
    Truth,
    counts,
    groups,
    key_column,
)

ROUNDED = 0.00051  # a share has three decimals
_TIMES = ("day", "hour", "weekday")


def of_stats(arguments: Mapping[str, Any], page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    """Groups and totals, of the covered part of the window where that is not all."""
    group_by = arguments.get("group_by", ["agent"])
    since = page.moment("covered", "since") or meaning.since
    versions = [
        ([call for call in meaning.calls(dataset).values() if call.created_at >= since], dataset)
        for dataset in dict.fromkeys((truth.before, truth.after))
    ]
    true = [groups(calls, group_by, dataset, meaning.mentions) for calls, dataset in versions]
    columns = [key_column(name) for name in group_by]
    said = page.says_missing and not (page.complete or page.moment("covered", "since"))
    if not page.complete and not page.says_missing:
        yield Falsehood("silent", "not complete, and no note says why")
    found = {tuple(row[column] for column in columns): row for row in page.rows}
    chosen = bool(arguments.keys() & {"limit", "min_calls"})
    lacking = {key for key in true[0] if all(key in version for version in true)} - set(found)
    if lacking and page.complete and not chosen:
        yield Falsehood(
            "complete", f"complete, and {len(lacking)} groups are missing, such as {min(map(str, lacking))}"
        )
    for key, row in found.items():
        if said and any(
            part is None and name in truth.unknown_columns for part, name in zip(key, columns, strict=True)
        ):
            continue  # the group of what is not known, and that is said
        expected = [version.get(key) for version in true]
        # A call may be in no row, or in the row of what is not known, and that is said.
        elsewhere = said and bool("undecided" in page.page or truth.unknown_columns.intersection(columns))
        yield from _group(key, columns, row, expected, page, truth, said=said, elsewhere=elsewhere)
    totals = page.structure.get("totals", {})
    expected = [counts(calls, dataset, meaning.mentions) for calls, dataset in versions]
    undecided = said and "undecided" in page.page
    yield from _compare("totals", totals, expected, truth, said=said, elsewhere=undecided, nullable={"agent_hangups"})
    if not totals and page.complete and all(one["calls"] for one in expected):
        yield Falsehood("complete", f"complete and without totals; there are {expected[0]['calls']} calls")
    yield from _order(arguments, group_by, page)
    if len(versions) == 1 and not said:
        yield from _other_groups(totals.get("other_groups"), true[0], set(found))
        if page.complete:
            yield from _choice(arguments, page, true[0], set(found))
        yield from _shares(found, true[0])


# Order and choice -----------------------------------------------------------------------------------------------------


def _order(arguments: Mapping[str, Any], group_by: Sequence[str], page: Page) -> Iterator[Falsehood]:
    """The rows are in the order that the answer claims, whatever is unknown."""
    sorted_by, wanted = page.structure.get("sorted_by"), arguments.get("sort")
    if wanted is not None and sorted_by != wanted:
        yield Falsehood("order", f"the rows are to be sorted by {wanted}, not {sorted_by}")
    if sorted_by is None or (wanted is None and len(group_by) != 1):
        return
    values = [_rank(row[sorted_by]) for row in page.rows]
    known = [value for value in values if value is not None]
    upwards = wanted is None and group_by[0] in _TIMES
    if known != sorted(known, reverse=not upwards) or None in values[: len(known)]:
        yield Falsehood("order", f"the rows are not in the order of {sorted_by}: {values[:9]}")
    least = arguments.get("min_calls", 0)
    if any(row["calls"] < least for row in page.rows):
        yield Falsehood("group not meant", f"a group has fewer than {least} calls")


def _rank(value: Any) -> Any:
    return WEEKDAYS.index(value) if value in WEEKDAYS else value


def _choice(
    arguments: Mapping[str, Any], page: Page, true: Mapping[Key, Mapping[str, Any]], found: set[Key]
) -> Iterator[Falsehood]:
    """A complete answer has as many groups as were wanted, and no other group comes before one of them."""
    meant = {key: group for key, group in true.items() if group["calls"] >= arguments.get("min_calls", 0)}
    wanted = min(arguments.get("limit", len(meant)), len(meant))
    if len(found) != wanted:
        yield Falsehood("complete", f"complete, and {len(found)} of {wanted} wanted groups are there")
    column: str = arguments.get("sort", "calls")
    group_by = arguments.get("group_by", ())
    # Times have an order of their own, and rows of one first group stand together.
    other_order = "sort" not in arguments and (len(group_by) > 1 or bool({*_TIMES}.intersection(group_by)))
    if other_order or not page.rows or column not in next(iter(true.values())):
        return
    last = page.rows[-1][column]
    better = [key for key, group in meant.items() if key not in found and _comes_before(group[column], last)]
    if better:
        yield Falsehood("complete", f"complete, and {len(better)} groups have more {column} than {last}: {better[:3]}")


def _comes_before(value: Any, last: Any) -> bool:
    return value is not None and (last is None or value > last)


def _other_groups(
    others: Mapping[str, Any] | None, true: Mapping[Key, Mapping[str, Any]], found: set[Key]
) -> Iterator[Falsehood]:
    """The sums of the groups without a row."""
    hidden = [group for key, group in true.items() if key not in found]
    shown = dict(others or {"groups": 0, "calls": 0})
    for name, value in shown.items():
        expected = len(hidden) if name == "groups" else sum(group[name] for group in hidden)
        if value is not None and value != expected:
            yield Falsehood("other groups", f"{name} of the other groups is {expected}, not {value}")


def _shares(found: Mapping[Key, Mapping[str, Any]], true: Mapping[Key, Mapping[str, Any]]) -> Iterator[Falsehood]:
    """A share is that of all calls or, with two groupings, of those of the first group."""
    for key, row in found.items():
        of = [group["calls"] for other, group in true.items() if len(key) < 2 or other[0] == key[0]]
        share = true[key]["calls"] / sum(of) if key in true and sum(of) else None
        if row.get("share") is not None and (share is None or abs(row["share"] - share) > ROUNDED):
            yield Falsehood("wrong share", f"{key}: {true[key]['calls']} of {sum(of)} calls are not {row['share']}")


# Groups and sums ------------------------------------------------------------------------------------------------------


def _group(
    key: Key,
    columns: Sequence[str],
    row: Mapping[str, Any],
    expected: Sequence[Mapping[str, Any] | None],
    page: Page,
    truth: Truth,
    *,
    said: bool,
    elsewhere: bool,
) -> Iterator[Falsehood]:
    known = [one for one in expected if one is not None]
    if not known:
        yield Falsehood("invented group", f"there are no calls of {key}; the row says {row.get('calls')}")
        return
    agentless = "agent_id" in columns and key[columns.index("agent_id")] is None
    if agentless and "userId" in truth.bend.missing and page.complete:
        yield Falsehood("no agent", f"{row['calls']} calls are said to have no agent")
    nullable = {"agent_hangups"} if agentless else set[str]()
    yield from _compare(str(key), row, known, truth, said=said, elsewhere=elsewhere, nullable=nullable)


def _compare(
    what: str,
    found: Mapping[str, Any],
    expected: Sequence[Mapping[str, Any]],
    truth: Truth,
    *,
    said: bool,
    elsewhere: bool,
    nullable: set[str],
) -> Iterator[Falsehood]:
    """Counts are true or null; where something is said to be missing, they are at most the truth."""
    for name in (*ADDITIVE, *RECORDINGS, *MEDIANS):
        if name not in found:
            continue
        value, true = found[name], [one[name] for one in expected]
        if value in true or any(_rounds_to(one, value) for one in true) or _between(name, value, true):
            continue
        if value is None:
            if truth.healthy and name not in nullable:
                yield Falsehood(f"lost {name}", f"{what}: {name} is {true[0]}, not null")
        elif name in truth.unknown_counts and not elsewhere:
            yield Falsehood(f"wrong {name}", f"{what}: {name} is {true[0]}, not {value}, and Liner does not send it")
        elif not (said and (name in MEDIANS or value <= max(one or 0 for one in true))):
            yield Falsehood(f"wrong {name}", f"{what}: {name} is {true[0]}, not {value}")


def _between(name: str, value: Any, true: Sequence[Any]) -> bool:
    """A sum may be of any moment between before and after a change."""
    return name in (*ADDITIVE, *RECORDINGS) and value is not None and min(true) <= value <= max(true)


def _rounds_to(true: Any, value: Any) -> bool:
    """A median that ends in a half may be rounded up."""
    return isinstance(true, float) and value == math.floor(true + 0.5)
