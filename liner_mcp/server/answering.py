"""Everything the server needs to answer questions. Only `lazy.py` imports this module; the reason is there."""

# The names are for other modules; this one uses none of them.
# ruff: noqa: F401
# pyright: reportUnusedImport=false

from __future__ import annotations

from liner_mcp.archive.counts import ArchivedCounts
from liner_mcp.archive.database import Database
from liner_mcp.archive.reads import ArchivedReads
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.calls.find_calls import find_calls
from liner_mcp.calls.longest_calls import longest_calls
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.calls.time_window import parse_window
from liner_mcp.chatgpt import fetch, search
from liner_mcp.context import AppContext, utc_now
from liner_mcp.liner.cached_client import CachedClient
from liner_mcp.liner.restricted_client import Access, RestrictedClient
from liner_mcp.list_directory import list_directory
from liner_mcp.names.directory import Directory
from liner_mcp.names.matching import contains, describe_empty_name, normalize_name
from liner_mcp.records.check_quotes import check_quotes
from liner_mcp.records.get_call_record import get_call_record, read_summary
from liner_mcp.records.get_call_summaries import get_call_summaries
from liner_mcp.records.list_call_records import list_call_records
from liner_mcp.records.read_audio import read_audio, read_audio_piece
from liner_mcp.server.access_rules import missing_section, rules_file, unused_sections
from liner_mcp.server.clients import open_clients
from liner_mcp.text.mask import mask, quote_input
from liner_mcp.timezone import Zone
