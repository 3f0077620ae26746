"""Where the rows of one answer come from: the archive, or Liner just now.

`ArchivedReads` records it while one question is answered, and `answer/table.py` states it in `page`. A context variable
carries it there, also through the tasks of the question, so that no layer between has to pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from liner_mcp.errors import LinerMcpError

TimeSpan = tuple[datetime, datetime]
"""From the first moment up to but not including the second."""


@dataclass(slots=True)
class Provenance:
    """What one question has read so far.

    `archived` and `live`: the spans whose calls came from the archive and from Liner. `unread`: spans that could not be
    read from Liner, while others came from the archive. `synced_at`: when the oldest archived part was read from Liner.
    `forgotten`: the ids of forgotten calls that the caller may see. `uses_archive`: an archive covers a part of the
    question. `liner_answers`: a list of calls came from Liner. `failure`: why one could not be read.
    """

    isoformat: Callable[[datetime], str] = datetime.isoformat
    archived: list[TimeSpan] = field(default_factory=list[TimeSpan])
    live: list[TimeSpan] = field(default_factory=list[TimeSpan])
    unread: list[TimeSpan] = field(default_factory=list[TimeSpan])
    synced_at: datetime | None = None
    forgotten: set[int] = field(default_factory=set[int])
    uses_archive: bool = False
    liner_answers: bool = False
    failure: LinerMcpError | None = None

    def add_sync(self, moment: datetime) -> None:
        """Something that was synced at this moment is used."""
        self.synced_at = moment if self.synced_at is None else min(self.synced_at, moment)

    @property
    def archived_until(self) -> datetime | None:
        """The moment before which all rows come from the archive; None where no span of them does."""
        if not self.archived:
            return None
        first = min(since for since, _ in self.archived)
        ends = [since for since, _ in (*self.live, *self.unread)]
        until = min(ends) if ends else max(until for _, until in self.archived)
        return until if until > first else None

    def unread_spans(self) -> str:
        """The spans that could not be read, as a clause; empty when there are none."""
        if not self.unread:
            return ""
        since, until = min(self.unread)
        whole = True
        for begin, end in sorted(self.unread):
            whole = whole and begin <= until
            until = max(until, end)
        which = f"{self.isoformat(since)} to {self.isoformat(until)}"
        return which if whole else f"Parts of {which}"

    def synced(self) -> dict[str, str]:
        """The member `synced_at`, if something archived is used."""
        moment = self.synced_at
        return {} if moment is None else {"synced_at": self.isoformat(moment.replace(microsecond=0))}

    def page_members(self) -> dict[str, str | int]:
        """The members of `page` that state it. Without an archive there are none."""
        until = self.archived_until
        members: dict[str, str | int] = {} if until is None else {"archived_until": self.isoformat(until)}
        members |= self.synced()
        if self.forgotten:
            members["forgotten"] = len(self.forgotten)
        return members


_current: ContextVar[Provenance | None] = ContextVar("liner_mcp_provenance", default=None)


def provenance() -> Provenance:
    """That of the current question; outside of one, a new one that nothing reads."""
    return _current.get() or Provenance()


@contextmanager
def record_provenance(isoformat: Callable[[datetime], str]) -> Generator[Provenance]:
    """Record where the rows come from while the block runs. `isoformat` writes a moment in the zone of the answer."""
    with _use(Provenance(isoformat)) as recorded:
        yield recorded


@contextmanager
def unrecorded() -> Generator[None]:
    """Reads within the block are for a hint and not for the rows of the answer."""
    outer = provenance()
    with _use(Provenance(failure=outer.failure, liner_answers=outer.liner_answers)):
        yield


@contextmanager
def _use(recorded: Provenance) -> Generator[Provenance]:
    token = _current.set(recorded)
    try:
        yield recorded
    finally:
        _current.reset(token)
