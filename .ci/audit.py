"""Looks up the installed packages in the list of known vulnerabilities, with pip-audit. Exit code 1 if there is one.

Without access to that list, as behind a mirror that has packages only, it says so and ends with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

SECONDS = 300  # a lookup for each of about a hundred packages


def verdict(document: dict[str, Any]) -> tuple[list[str], int]:
    """The lines to print and the exit code for pip-audit's JSON."""
    packages: list[dict[str, Any]] = document["dependencies"]
    audited = [one for one in packages if "vulns" in one]
    found = [
        f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in: {', '.join(vulnerability['fix_versions'])}"
        for one in audited
        for vulnerability in one["vulns"]
    ]
    if found:
        return found, 1
    if not audited:
        return ["The audit was skipped: no list of vulnerabilities can be reached."], 0
    missing = [one["name"] for one in packages if "vulns" not in one]
    left = f", not audited: {', '.join(missing)}" if missing else ""
    return [f"No known vulnerability in {len(audited)} packages{left}."], 0


def main() -> int:
    uv, folder = Path(sys.executable).with_name("uv"), sysconfig.get_path("purelib")
    options = ["--path", folder, "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [uv, "tool", "run", "pip-audit>=2.9,<3", *options],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        document = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        document = {"dependencies": []}  # it could not be installed, or its service did not answer
    lines, code = verdict(document)
    print(*lines, sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
