"""What the server uses to answer questions. Only `lazy.py` imports this module; it says why."""

# The names are for the users of this module; it uses none itself.
# ruff: noqa: F401
# pyright: reportUnusedImport=false

from __future__ import annotations

from liner_mcp.connect import open_clients
from liner_mcp.liner.restricted import RestrictedClient
from liner_mcp.review.call_stats import call_stats
from liner_mcp.review.calls import find_calls
from liner_mcp.review.desk import Desk, utc_now
from liner_mcp.review.directory import Directory
from liner_mcp.review.full_record import get_call_record, read_audio, read_summary
from liner_mcp.review.listing import list_directory
from liner_mcp.review.matching import contains, folded
from liner_mcp.review.privacy import echoed, shown
from liner_mcp.review.questions import CallQuestion
from liner_mcp.review.records import list_call_records
from liner_mcp.review.sampled_calls import sample_calls
from liner_mcp.review.summaries import get_call_summaries
from liner_mcp.review.windows import Zone
from liner_mcp.server.access import rules_file
