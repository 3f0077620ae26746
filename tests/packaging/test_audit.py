"""The audit of CI: a known vulnerability fails it, and a list that cannot be reached is not taken for a clean one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent.parent / ".ci" / "audit.py"
SKIPPED = {"name": "mcp", "skip_reason": "Dependency not found on PyPI and could not be audited: mcp (2.3.0)"}
CLEAN: dict[str, Any] = {"name": "anyio", "version": "4.16.0", "vulns": []}
VULNERABLE = {"name": "h11", "version": "0.1", "vulns": [{"id": "CVE-2025-1", "fix_versions": ["0.16", "1.0"]}]}


@pytest.mark.parametrize(
    ("packages", "line", "code"),
    [
        ([CLEAN], "No known vulnerability in 1 packages.", 0),
        ([CLEAN, SKIPPED], "No known vulnerability in 1 packages, not audited: mcp.", 0),
        ([SKIPPED, SKIPPED], "The audit was skipped: no list of vulnerabilities can be reached.", 0),
        ([], "The audit was skipped: no list of vulnerabilities can be reached.", 0),
        ([CLEAN, SKIPPED, VULNERABLE], "h11 0.1: CVE-2025-1, fixed in: 0.16, 1.0", 1),
    ],
)
def test_the_verdict_says_what_was_audited(packages: list[dict[str, Any]], line: str, code: int) -> None:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec
    assert spec.loader
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    assert audit.verdict({"dependencies": packages}) == ([line], code)
