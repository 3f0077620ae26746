"""The measured results: a JSON file per part in `measured/`, with the date, the machine and the versions of its run.

They are the source of the tables, and the base of comparisons. A part that is not measured again keeps its file.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from liner_mcp import __version__

FOLDER = Path(__file__).with_name("measured")
PACKAGES = ("mcp", "httpx", "pydantic")

Document = dict[str, Any]
"""The results of one part, with `made`. An engine of the archive that is missing has `skipped`, a sentence."""
Results = dict[str, Document]
"""The documents by the names of their parts."""


def stored() -> Results:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def write(results: Results) -> None:
    """Store these parts; the others stay."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in results.items():
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def merged(old: Document, new: Document) -> Document:
    """The new document, with the earlier results of each engine that was not measured now."""
    engines: dict[str, Document] = dict(old.get("engines", {}))
    for name, engine in new.get("engines", {}).items():
        if "skipped" not in engine or name not in engines:
            engines[name] = engine
    return new | {"engines": engines} if engines else new


def provenance(*packages: str, **more: str) -> dict[str, Any]:
    """The date, the machine, and the versions of Python and of `packages`, as far as they are installed."""
    installed = {name: version(name) for name in (*PACKAGES, *packages) if _is_installed(name)}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "versions": {"liner-mcp": __version__, **installed, **more},
    }


def _is_installed(name: str) -> bool:
    return name in PACKAGES or find_spec(name.replace("-", "_")) is not None


def figures_of(results: Mapping[str, Document]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Every figure with the name of its part, and of its engine, which is empty where a part has none."""
    for name, document in results.items():
        for engine, found in {"": document, **document.get("engines", {})}.items():
            yield from ((name, engine, figure) for figure in found.get("figures", ()))


def without_outdated_times(times: Document, before: Document, now: Document) -> Document:
    """The times without those of questions whose tool calls or requests differ between two `questions` documents."""
    was, now_costs = _costs(before), _costs(now)
    seconds = {
        name: {
            question: of[question] for question in of if was.get((name, question)) == now_costs.get((name, question))
        }
        for name, of in times["seconds"].items()
    }
    return times | {"seconds": seconds}


def _costs(questions: Document) -> dict[tuple[str, str], tuple[int, int]]:
    """Tool calls and requests per question of each contestant."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for one in questions.get("contestants", ()):
        outcomes: dict[str, dict[str, Any]] = one["outcomes"] or {}
        found |= {(one["name"], name): (outcome["calls"], outcome["requests"]) for name, outcome in outcomes.items()}
    return found
