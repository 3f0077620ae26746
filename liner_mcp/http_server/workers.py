"""Several processes that share one listening socket and nothing else; a parent that starts, replaces and stops them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from liner_mcp.errors import SetupError
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.json_logging import configure_logging
from liner_mcp.settings import Settings

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2  # how often the parent looks whether it got a signal to stop
_RESTART_SECONDS = 1.0  # between two replacements: what fails at once must not fail in a circle


class Worker:
    """A process and whether it ever answered."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        # A fresh interpreter: a fork would share what the parent has open.
        context = multiprocessing.get_context("spawn")
        self.ready = context.Event()
        self.process: SpawnProcess = context.Process(
            target=_run, args=(settings, listener, self.ready, os.getpid()), daemon=True
        )
        self.process.start()

    def send_signal(self, sig: signal.Signals) -> None:
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, sig)


def _run(settings: Settings, listener: socket.socket, ready: Any, parent: int) -> None:
    # Until the server takes over: Ctrl-C goes to the whole group, and the parent is the one to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from liner_mcp.http_server.server import run  # only here: see serve.py

    try:
        run(settings, listener, on_ready=ready.set, parent_pid=parent)
    except SetupError as error:
        logger.error("%s", error)  # noqa: TRY400 - a finished sentence; the way to it helps nobody
        sys.exit(1)


def supervise(settings: Settings, listener: socket.socket, *, count: int, on_ready: Callable[[], None]) -> int:
    """Keep `count` workers running until a signal to stop; the exit code. A worker that never gets ready ends all."""
    configure_logging(settings.mcp_log or "json", settings.demo_notice)
    received: list[signal.Signals] = []

    def on_signal(sig: int, _: FrameType | None) -> None:
        received.append(signal.Signals(sig))

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, on_signal)
    workers = [Worker(settings, listener) for _ in range(count)]
    announced = failed = False
    try:
        while not received and not failed:
            wait([worker.process.sentinel for worker in workers], timeout=_POLL_SECONDS)
            if not announced and all(worker.ready.is_set() for worker in workers):
                announced = True
                on_ready()
            for place, worker in enumerate(workers):
                if received or worker.process.is_alive():
                    continue
                if not worker.ready.is_set():
                    logger.error("A worker ended before it served anything, so all stop.")
                    failed = True
                    break
                logger.warning("A worker ended by itself (%s) and is replaced.", worker.process.exitcode)
                time.sleep(_RESTART_SECONDS)
                workers[place] = Worker(settings, listener)
        listener.close()  # else the system would let connections wait for nobody
        # A worker that is not done in its own time is not done a moment later.
        _stop(workers, received, LIMITS.stop_seconds(settings.deadline_seconds) + LIMITS.closing_seconds)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
    return 1 if failed or len(received) > 1 else 0


def _stop(workers: list[Worker], received: list[signal.Signals], seconds: float) -> None:
    """Tell every worker to finish; returns when all have, when time is up, or at a second signal."""
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    until = time.monotonic() + seconds
    while len(received) < 2 and time.monotonic() < until:
        running = [worker.process.sentinel for worker in workers if worker.process.is_alive()]
        if not running:
            return
        wait(running, timeout=_POLL_SECONDS)
