"""The names of columns and groupings that arguments may choose.

The published schemas need these names at start, so this module imports nothing that reads Liner.
"""

from __future__ import annotations

from typing import Literal, get_args

Includable = Literal["lead_id", "direction", "hung_up_by", "wait_seconds", "phone", "records", "summary"]
INCLUDABLE: tuple[Includable, ...] = get_args(Includable)
"""The columns that a found call can show beside the usual ones; `summary` gives each recording its own row."""

Sorting = Literal["newest", "longest_talk"]

Grouping = Literal["agent", "order", "status", "lead", "day", "hour", "weekday", "hung_up_by"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
"""By what calls can be counted."""

RecordingCount = Literal["records", "transfers", "without_summary", "matches"]
RECORDING_COUNTS: tuple[RecordingCount, ...] = get_args(RecordingCount)
"""Counts of recordings, which cost one request per recorded call."""

StatsColumn = Literal[RecordingCount, "share"]
STATS_COLUMNS: tuple[StatsColumn, ...] = (*RECORDING_COUNTS, "share")
"""The columns that counts can show beside the usual ones."""
