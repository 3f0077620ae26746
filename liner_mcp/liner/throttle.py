"""How hard Liner may be pressed after it said no: rules without I/O, on times that the caller reads from its clock.

What one caller learns, all callers heed: a 429 pauses everybody and lets the rest through one at a time at first; a
Liner that is down is not asked by everybody in turn. Nothing here waits or sends.
"""

from __future__ import annotations

from math import ceil

from liner_mcp.errors import CircuitOpen, LinerMcpError, LinerUnavailable, RateLimited, Unreachable
from liner_mcp.liner.retry import FIRST_CEILING, LAST_CEILING

LONGEST_PAUSE = 60.0  # seconds; a longer ban is asked about once a minute, for its length may be a clock's mistake
MOST_IN_A_ROW = 10  # 429s that are counted; the guess has reached its ceiling long before
FAILURES_TO_OPEN = 5  # in a row, over all callers: one request with all its retries does not reach it
FAILING_SECONDS = 3.0  # a hiccup that retries ride out is shorter
OPEN_SECONDS = 10.0  # a restart takes longer than one deadline rarely; asked six times a minute, Liner can breathe


class Pace:
    """The pace all callers share. After a 429 nobody asks before the pause is over, and then one at a time at first.

    `at_once` is how many requests may be under way, from 1 to `concurrency`: one after a 429, one more per answer to a
    request that was sent after it. What was under way when Liner asked for peace tells nothing about the time after.
    """

    def __init__(self, concurrency: int) -> None:
        self.at_once = concurrency
        self._concurrency = concurrency
        self._until = self._told_until = self._slowed_at = float("-inf")
        self._in_a_row = 0

    def pause(self, now: float) -> float:
        """Seconds from `now` until the next request may be sent; 0 when it may be sent at once."""
        return max(0.0, self._until - now)

    def told(self, now: float) -> float:
        """Seconds from `now` that Liner asked for, be they more than anybody is made to wait."""
        return max(0.0, self._told_until - now)

    def slowed(self, now: float, asked: float | None, sent: float) -> None:
        """Liner asked to slow down, for so many seconds if it said so, when it got a request that was sent then."""
        if sent >= self._slowed_at:  # else it is of the same burst
            self._in_a_row = min(self._in_a_row + 1, MOST_IN_A_ROW)
        guessed = min(LAST_CEILING, FIRST_CEILING * 2 ** (self._in_a_row - 1))
        wait = guessed if asked is None else asked
        self._until = max(self._until, now + min(wait, LONGEST_PAUSE))
        self._told_until = max(self._told_until, now + wait)
        self._slowed_at = now
        self.at_once = 1

    def answered(self, sent: float) -> None:
        """Liner answered a request that was sent then, without complaint."""
        if sent >= self._slowed_at:
            self._in_a_row = 0
            self.at_once = min(self.at_once + 1, self._concurrency)


class Breaker:
    """Whether Liner is worth asking at all, for a server that many people wait for.

    Open after `FAILURES_TO_OPEN` failures in a row that went on for `FAILING_SECONDS`; then one request per
    `OPEN_SECONDS` is let through, and the first that is answered closes it again.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._failing_since = 0.0
        self._open = False
        self._next_try = float("-inf")

    def check(self, now: float) -> None:
        """Say how long Liner is left alone, if it is. Raises: CircuitOpen."""
        if self._open and now < self._next_try:
            raise CircuitOpen(
                f"Liner did not answer the last {self._failures} requests, so it is left alone for a moment. "
                f"Ask again in {ceil(self._next_try - now)} s."
            )

    def claim(self, now: float) -> None:
        """The same, right before a request is sent: whoever comes now tries, the others wait for what comes of it."""
        self.check(now)
        if self._open:
            self._next_try = now + OPEN_SECONDS

    def failed(self, now: float) -> None:
        """A request got no answer, or a 5xx."""
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN and now - self._failing_since >= FAILING_SECONDS:
            self._open = True
            self._next_try = now + OPEN_SECONDS

    def answered(self) -> None:
        """Liner answered, whatever it said."""
        self._failures = 0
        self._open = False


class Pressure:
    """Pace and breaker together, fed with what became of each request. `breaks` False: there is no breaker."""

    def __init__(self, concurrency: int, *, breaks: bool) -> None:
        self.pace = Pace(concurrency)
        self._breaker = Breaker() if breaks else None

    def check(self, now: float, time_left: float) -> None:
        """Refuse at once what would be refused later: a pause longer than the asker's time, or an open breaker.

        Raises: RateLimited, CircuitOpen.
        """
        if self._breaker is not None:
            self._breaker.check(now)
        pause = self.pace.pause(now)
        if pause and pause >= time_left:
            left = max(pause, self.pace.told(now))
            raise RateLimited(
                f"Liner asked to slow down, and the pause is not over. Ask again in {ceil(left)} s.", retry_after=left
            )

    def claim(self, now: float) -> None:
        """Right before a request is sent. Raises: CircuitOpen."""
        if self._breaker is not None:
            self._breaker.claim(now)

    def learn(self, now: float, outcome: LinerMcpError | None, *, sent: float) -> None:
        """Take note of what became of a request that was sent then; None is an answer with data."""
        if isinstance(outcome, RateLimited):
            self.pace.slowed(now, outcome.retry_after, sent)
        elif outcome is None:
            self.pace.answered(sent)
        if self._breaker is None:
            return
        if isinstance(outcome, (LinerUnavailable, Unreachable)):
            self._breaker.failed(now)
        else:
            self._breaker.answered()
