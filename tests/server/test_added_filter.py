"""Adding a filter takes two edits, as docs/contributing.md says. The edits are made in a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from liner_mcp.demo import Call
from tests.support import ask_tools, filters_table

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8").split("## How to add a filter", 1)[1]
ON_CALLS = textwrap.dedent(RECIPE.split("```python\n", 1)[1].split("   ```", 1)[0])
ON_RECORDINGS = """\
long_recording: Annotated[
    Flag,
    Filter(
        "calls with a long recording",
        decides=lambda recordings, wanted: _is(
            recordings.some(lambda record: None if record.duration_seconds is None else record.duration_seconds >= 60),
            wanted,
        ),
    ),
] = None
"""
ROWS = [
    "| `min_wait_seconds` | a whole number from 0 | calls with at least this much waiting | this server |",
    "| `long_recording` | `true` or `false` | calls with a long recording | this server, by the recordings |",
]
WINDOW = {"since": "-3d"}
WAITED = {**WINDOW, "min_wait_seconds": 12}
LONG = {**WINDOW, "long_recording": True}


def add_filters(copy: Path) -> None:
    """Edit one declares both filters, edit two documents them."""
    shutil.copytree(ROOT / "liner_mcp", copy / "liner_mcp")
    declarations = copy / "liner_mcp" / "calls" / "arguments.py"
    source = declarations.read_text(encoding="utf-8")
    added = textwrap.indent(ON_CALLS + ON_RECORDINGS, "    ")
    declarations.write_text(source.replace("    hung_up_by:", f"{added}    hung_up_by:", 1), encoding="utf-8")
    page = filters_table.PAGE.read_text(encoding="utf-8")
    (copy / "filters.md").write_text(page.replace("| `hung_up_by`", "\n".join([*ROWS, "| `hung_up_by`"])))


def ask(copy: Path, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """What the copy answers, in both protocol eras alike."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ask_tools", json.dumps({"modes": ["auto", "legacy"], "calls": calls})],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modern, legacy = json.loads(done.stdout)
    assert modern == legacy
    return modern


def ids(pages: list[dict[str, Any]]) -> list[int]:
    return [row[page["columns"].index("call_id")] for page in pages for row in page["rows"]]


def test_two_edits_add_a_filter_on_calls_and_one_on_recordings(tmp_path: Path) -> None:
    add_filters(tmp_path)
    seen = ask(
        tmp_path,
        ("find_calls", {**WAITED, "limit": 10}),
        ("call_stats", WAITED),
        ("find_calls", {**WAITED, "sample": 5, "seed": "1"}),
        ("find_calls", {**WINDOW, "min_wait_seconds": 10_000}),
        ("find_calls", {**WINDOW, "min_wait_seconds": -1}),
        ("find_calls", {**LONG, "transferred": False, "limit": 10}),
        ("call_stats", {**LONG, "transferred": False}),
        ("find_calls", {**LONG, "transferred": False, "sample": 3, "seed": "1"}),
    )
    found, stats, sample, none, refused, long, long_stats, long_sample = seen["answers"]

    dataset = ask_tools.dataset()
    calls = sorted(dataset.calls.values(), key=lambda call: (call.created_at, call.id), reverse=True)
    waited = [call for call in calls if call.wait_time_duration_seconds >= 12]
    assert 10 < len(waited) < len(calls)
    assert ids(found) == [call.id for call in waited]
    assert len(found) > 1
    assert all(page["asked"] == {"min_wait_seconds": 12} for page in found)
    assert all(page["page"]["local_filters"] == ["min_wait_seconds"] for page in found)
    assert stats[0]["totals"]["calls"] == found[-1]["page"]["total"] == len(waited)
    assert sample[0]["page"]["population"] == sum(call.has_records for call in waited)
    assert set(ids(sample)) <= {call.id for call in waited}
    assert "none passed min_wait_seconds; relax" in none[0]["notes"][0]
    assert refused == ["min_wait_seconds: it must be a whole number of 0 or more; -1 is not."]

    def meets_both(call: Call) -> bool:
        records = dataset.records_of(call.id)
        return any(record.duration_seconds >= 60 for record in records) and not any(
            record.is_transfer for record in records
        )

    undecided = {call.id for call in calls if call.has_records and not dataset.records_of(call.id)}
    assert ids(long) == [call.id for call in calls if meets_both(call)]
    assert long_stats[0]["totals"]["calls"] == len(ids(long)) > 3
    assert long_stats[0]["page"].get("undecided", 0) == len(undecided)
    assert set(ids(long_sample)) < set(ids(long))
    assert seen["record_requests"][6] <= sum(call.has_records for call in calls), "one request for both filters"

    for tool in ("find_calls", "call_stats"):
        assert seen["schemas"][tool]["min_wait_seconds"] == {"type": "integer", "minimum": 0}
        assert seen["schemas"][tool]["long_recording"] == {"type": "boolean"}
    assert filters_table.rows_of((tmp_path / "filters.md").read_text(encoding="utf-8")) == seen["table"]
