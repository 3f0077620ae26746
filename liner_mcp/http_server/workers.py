"""Several processes that share one listening socket, and a parent that starts, replaces and stops them.

uvicorn's supervisor is not used. It waits without end for a worker that does not stop, ignores a second signal, and
does not report when all workers answer. Its workers outlive a parent that was killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from liner_mcp.errors import SetupError
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.json_logging import configure_logging, log_lifecycle
from liner_mcp.settings import Settings

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2  # how often the parent checks for a signal to stop
_RESTART_SECONDS = 1.0  # between two replacements, so that a worker that fails at once is not restarted in a tight loop


class Worker:
    """A process that serves. `ready` is set when it answers requests.

    All workers meet the same problems when they start: only one that is not `quiet` logs its warnings, and only the
    first that can acquire `may_report` logs why it cannot start.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        may_report: Any,
        *,
        quiet: bool,
        sync_seconds: float | None = None,
    ) -> None:
        # A new interpreter: a fork would share the parent's open files.
        context = multiprocessing.get_context("spawn")
        self.ready = context.Event()
        self.process: SpawnProcess = context.Process(
            target=_run,
            args=(settings, listener, self.ready, os.getpid(), may_report, quiet, sync_seconds),
            daemon=True,
        )
        # Ctrl-C is sent to the whole process group, and only the parent acts on it. The worker inherits this block.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def _run(
    settings: Settings,
    listener: socket.socket,
    ready: Any,
    parent: int,
    may_report: Any,
    quiet: bool,
    sync_seconds: float | None,
) -> None:
    from liner_mcp.http_server.server import run  # not in the parent: see serve.py

    configure_logging(settings.mcp_log or "json")
    if quiet:
        logging.disable(logging.WARNING)

    def on_ready() -> None:
        logging.disable(logging.NOTSET)
        ready.set()

    try:
        run(settings, listener, on_ready=on_ready, parent_pid=parent, sync_seconds=sync_seconds)
    except SetupError as error:
        if may_report.acquire(block=False):
            logger.error("%s", error)  # noqa: TRY400 - the sentence is enough, without a traceback
        sys.exit(1)


def supervise(
    settings: Settings,
    listener: socket.socket,
    *,
    count: int,
    on_ready: Callable[[], None],
    sync_seconds: float | None = None,
) -> int:
    """Keep `count` workers running until a signal to stop and return the exit code.

    If a worker ends before it was ready, all are stopped.
    """
    received: list[signal.Signals] = []

    def on_signal(sig: int, _: FrameType | None) -> None:
        received.append(signal.Signals(sig))

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, on_signal)
    may_report = multiprocessing.get_context("spawn").Semaphore(1)
    new_worker = partial(Worker, settings, listener, may_report, sync_seconds=sync_seconds)
    workers = [new_worker(quiet=number > 0) for number in range(count)]
    announced = failed = False
    try:
        while not received and not failed:
            wait([worker.process.sentinel for worker in workers], timeout=_POLL_SECONDS)
            if not announced and all(worker.ready.is_set() for worker in workers):
                announced = True
                on_ready()
            for number, worker in enumerate(workers):
                if received or worker.process.is_alive():
                    continue
                if not worker.ready.is_set():
                    logger.error("A worker ended before it was ready, so all workers stop.")
                    failed = True
                    break
                logger.warning("A worker ended unexpectedly (exit code %s) and is replaced.", worker.process.exitcode)
                time.sleep(_RESTART_SECONDS)
                workers[number] = new_worker(quiet=True)
        if received:
            log_lifecycle("stopping", at_most_seconds=LIMITS.stop_seconds(settings.deadline_seconds))
        listener.close()  # otherwise the system accepts connections that no worker will serve
        # A worker ends by itself within stop_seconds. The rest is a margin.
        _stop(workers, received, LIMITS.stop_seconds(settings.deadline_seconds) + LIMITS.closing_seconds)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
    if len(received) > 1:  # end by that signal, as a single process does
        signal.signal(received[1], signal.SIG_DFL)
        signal.raise_signal(received[1])
    if not failed:
        log_lifecycle("stopped")
    return 1 if failed else 0


def _stop(workers: list[Worker], received: list[signal.Signals], seconds: float) -> None:
    """Ask every worker to stop. Returns when all have ended, when the time is over, or at a second signal."""
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + seconds
    while len(received) < 2 and time.monotonic() < until:
        running = [worker.process.sentinel for worker in workers if worker.process.is_alive()]
        if not running:
            return
        wait(running, timeout=_POLL_SECONDS)
