"""The view in Chromium: starts `host.mjs`, which is a host of MCP Apps, and sends it commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NODE = FOLDER / "node_modules" / ".bin" / "node"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
INSTALL = "npm install --no-package-lock --prefix tests/view, and a chromium on the path"


def missing() -> bool:
    """Whether the browser or the host cannot be had here."""
    return CHROMIUM is None or not (NODE.exists() and (FOLDER / "node_modules" / "playwright-core").exists())


class View:
    """The frame of the view, and the host around it. Every command that does not succeed fails the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def command(self, command: str, **parameters: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the host has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def listed(self) -> dict[str, Any]:
        """The protocol version, and the tools that our server lists."""
        return self.command("listed")

    def open(self, tool: str, arguments: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Call a tool and show its answer. Options: `result` (replaces the answer), `width` and `height` of the frame
        (without `height`, it follows the view), `capabilities` and `context` of the host, `refuses` messages.
        """
        return self.command("open", tool=tool, args=arguments or {}, **options)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the view."""
        return self.command("evaluate", script=script)

    def until(self, script: str) -> None:
        """Wait until a JavaScript expression in the view is true."""
        self.command("until", script=script)

    def host(self, script: str) -> Any:
        """The value of a JavaScript expression in the page of the host."""
        return self.command("host", script=script)

    def host_until(self, script: str) -> None:
        """Wait until a JavaScript expression in the page of the host is true."""
        self.command("hostUntil", script=script)

    def click(self, selector: str) -> None:
        self.command("click", selector=selector)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.command("press", key=key)

    def text(self, selector: str = "main") -> str:
        """The text that is shown."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def column(self, name: str) -> list[str]:
        """The cells of a column, from top to bottom."""
        heads = "[...document.querySelectorAll('thead th')]"
        cells = "[...document.querySelectorAll('tbody > .row')].map((row) => row.cells[at + 1].innerText.trim())"
        start = f"(head) => head.innerText.trim().startsWith({json.dumps(name)})"
        return self.evaluate(f"(() => {{ const at = {heads}.findIndex({start}); return {cells}; }})()")

    def accessible(self, selector: str = "main") -> str:
        """What assistive technology gets."""
        return self.command("accessible", selector=selector)

    def noticed(self) -> dict[str, list[str]]:
        """What the frame requested, and the errors in its console."""
        return self.command("noticed")

    def shot(self, file: Path) -> None:
        self.command("shot", file=str(file))


@contextmanager
def opened(target: str, mode: str, **settings: str) -> Generator[View]:
    """A host that is connected to our server: `target` is a URL, or a command as a JSON list, which gets `settings`."""
    process = subprocess.Popen(
        [str(NODE), str(FOLDER / "host.mjs"), str(CHROMIUM), target, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_PROXY": "127.0.0.1,localhost", **settings},
    )
    with process:
        try:
            yield View(process)
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
        finally:
            process.kill()
