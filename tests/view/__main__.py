"""Takes the pictures of the view for the documentation, over the demo: python -m tests.view docs/images

Reduce them to a palette of 96 colours before a commit: each must stay below 150 kB.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.view import browser

COMMAND = json.dumps([sys.executable, "-m", "liner_mcp", "serve", "--demo"])
WEEK: dict[str, Any] = {"since": "-7d"}


def take(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with browser.opened(COMMAND, "auto", LINER_TIMEZONE="Europe/Moscow") as view:
        for theme in ("light", "dark"):
            look: dict[str, Any] = {"context": {"theme": theme, "locale": "en-GB"}, "width": 760}
            view.open("find_calls", {**WEEK, "mentions": "ипотека | mortgage", "limit": 3}, **look)
            view.click("tbody .row .open button")
            view.until("document.querySelector('mark')")
            view.click("article:has(mark) .play")
            view.until("document.querySelector('audio')")
            view.evaluate("document.querySelector('audio').blur()")
            view.shot(folder / f"view-table-{theme}.png")
            view.open("call_stats", {**WEEK, "group_by": ["agent"], "limit": 8}, **look)
            view.shot(folder / f"view-bars-{theme}.png")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
