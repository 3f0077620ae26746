"""Which claims of `call_stats` are false."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.claims.answers import Falsehood, Page
from tests.claims.meaning import Meaning
from tests.claims.truth import ADDITIVE, MEDIANS, Key, Truth, counts, groups, key_column


def of_stats(group_by: Sequence[str], page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    """Groups and totals, of the covered part of the window where that is not all."""
    since = page.moment("covered", "since") or meaning.since
    versions = [
        ([call for call in meaning.calls(dataset).values() if call.created_at >= since], dataset)
        for dataset in dict.fromkeys((truth.before, truth.after))
    ]
    true = [groups(calls, group_by, dataset) for calls, dataset in versions]
    columns = [key_column(name) for name in group_by]
    said = page.says_missing and not (page.complete or page.moment("covered", "since"))
    if not page.complete and not page.says_missing:
        yield Falsehood("silent", "not complete, and no note says why")
    found = {tuple(row[column] for column in columns): row for row in page.rows}
    hidden = bool(page.structure.get("totals", {}).get("other_groups"))
    lacking = {key for key in true[0] if all(key in version for version in true)} - set(found)
    if lacking and page.complete and not hidden:
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
    expected = [counts(calls, dataset) for calls, dataset in versions]
    undecided = said and "undecided" in page.page
    yield from _compare("totals", totals, expected, truth, said=said, elsewhere=undecided, nullable={"agent_hangups"})
    if not totals and page.complete and all(one["calls"] for one in expected):
        yield Falsehood("complete", f"complete and without totals; there are {expected[0]['calls']} calls")


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
    for name in (*ADDITIVE, *MEDIANS):
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
    return name in ADDITIVE and value is not None and min(true) <= value <= max(true)


def _rounds_to(true: Any, value: Any) -> bool:
    """A median that ends in a half may be rounded up."""
    return isinstance(true, float) and value == math.floor(true + 0.5)
