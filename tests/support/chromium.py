"""A real Chromium that opens pages without a window, driven over a pipe by the DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
MISSING = "chromium is not on this machine (Debian and Ubuntu: apt-get install chromium)"
PATIENCE = 60  # seconds for one answer, on a busy machine
_FIRST_FREE = 10  # Chromium reads from 3 and writes to 4, so the pipes must lie elsewhere before

Json = dict[str, Any]


class Browser:
    """Sends commands and collects the events between their answers."""

    def __init__(self, write_to: int, read_from: int) -> None:
        self._write_to, self._read_from = write_to, read_from
        self._received, self._number = b"", 0
        self.events: list[Json] = []

    def send(self, method: str, session: str | None = None, **parameters: Any) -> Json:
        """The answer to a command. Events that arrive before it are added to `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        sent = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while sent:
            sent = sent[os.write(self._write_to, sent) :]
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event: str, session: str) -> Json:
        """The first event of this name, from those already received on."""
        while True:
            for one in self.events:
                if (one.get("method"), one.get("sessionId")) == (event, session):
                    self.events.remove(one)
                    return one["params"]
            self.events.append(self._next())

    def _next(self) -> Json:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read_from], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._read_from, 1 << 20)
            assert piece, "Chromium has ended"
            self._received += piece
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def open(self, url: str, *, width: int = 1200, height: int = 900, dark: bool = False) -> Page:
        """A new page of this size, loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.send(f"{domain}.enable")
        page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        page.send("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.send("Emulation.setEmulatedMedia", features=[scheme])
        page.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired", session)
        return page


class Page:
    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def send(self, method: str, **parameters: Any) -> Json:
        return self._browser.send(method, self._session, **parameters)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, as JSON has it."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, such as Tab."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": {"Tab": 9, "Enter": 13}[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    def requests(self) -> list[str]:
        """The address of each request of the page, in order."""
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def blocked(self) -> list[str]:
        """Why requests of the page were not sent, such as csp."""
        return [event.get("blockedReason", event["errorText"]) for event in self._events("Network.loadingFailed")]

    def complaints(self) -> list[str]:
        """What the console shows: errors, warnings, messages, and violations of the page's policy."""
        entries = [event["entry"]["text"] for event in self._events("Log.entryAdded")]
        thrown = [str(event["exceptionDetails"]) for event in self._events("Runtime.exceptionThrown")]
        said = [str(event["args"]) for event in self._events("Runtime.consoleAPICalled")]
        return entries + thrown + said

    def pdf(self) -> bytes:
        return base64.b64decode(
            self.send("Page.printToPDF", preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)["data"]
        )

    def picture(self, *, top: int = 0, height: int | None = None) -> bytes:
        """A PNG of the page from `top` on, as wide as the window; without `height` to its end."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": height or size["height"] - top, "scale": 1}
        return base64.b64decode(self.send("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])

    def _events(self, method: str) -> list[Json]:
        self.evaluate("new Promise(done => setTimeout(done))")  # what the page has caused arrives before this answer
        return [
            event["params"]
            for event in self._browser.events
            if (event.get("method"), event.get("sessionId")) == (method, self._session)
        ]


@contextmanager
def run_chromium(folder: Path) -> Generator[Browser]:
    """A browser with a new profile in `folder`, ended with the block."""
    assert CHROMIUM
    ours_in, theirs_out = (_raised(end) for end in os.pipe())
    theirs_in, ours_out = (_raised(end) for end in os.pipe())
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
    command = [CHROMIUM, *options, f"--user-data-dir={folder}", "--disable-dev-shm-usage"]
    # The shell gives the pipes the numbers that Chromium expects.
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command]
    with subprocess.Popen(shell, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield (browser := Browser(ours_out, ours_in))
            browser.send("Browser.close")
            process.wait(PATIENCE)
        finally:
            process.kill()
            os.close(ours_in)
            os.close(ours_out)


def _raised(end: int) -> int:
    """The same end of a pipe under a number that no other file has."""
    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    os.close(end)
    return moved
