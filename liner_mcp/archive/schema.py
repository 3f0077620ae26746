"""The tables of an archive, in the SQL of SQLite. `postgres.py` changes the types.

Times are whole microseconds since 1970 in UTC, coverage is in whole seconds. A boolean is 0 or 1. `sent` is a bit mask
of the fields that Liner sent, see `rows.py`.
"""

from __future__ import annotations

APPLICATION_ID = 0x4C6E7241  # "LnrA", in the header of the file: another program's database is not taken for an archive
SCHEMA_VERSION = 1  # of the tables; raise it with a step of `MIGRATIONS`
STEMMER_VERSION = 1  # of `search.words`: raise it when the same text gets other stems
PRESERVED = ("forgotten_call", "forgotten_record", "forgotten_lead", "forgotten_before")
"""Tables that a rebuild keeps: what was forgotten must stay forgotten."""

MIGRATIONS: tuple[str, ...] = ()
"""Statements from version 1 to 2, from 2 to 3, and so on, for both databases."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- `list_order_id`: in whose list the call stood; `order_id` may not have been sent.
-- `odd`: a value that a question may need is unknown, so the call is counted row by row and not by the engine.
CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    list_order_id INTEGER NOT NULL,
    order_id INTEGER,
    user_id INTEGER,
    lead_id INTEGER,
    status_code TEXT,
    direction TEXT,
    finish_initiator TEXT,
    talk_time_duration_seconds INTEGER,
    wait_time_duration_seconds INTEGER,
    client_phone TEXT,
    has_records INTEGER,
    sent INTEGER NOT NULL,
    odd INTEGER NOT NULL
);
CREATE INDEX call_by_order ON call (list_order_id, created_at, id);
CREATE INDEX call_by_time ON call (created_at, id);
CREATE INDEX odd_call ON call (list_order_id, created_at) WHERE odd = 1;
CREATE INDEX call_by_lead ON call (lead_id, created_at);

-- `key` is the second of the call's creation, then a number: search results in the order of `key` are in that of calls.
-- A record that Liner lists for two calls has a row for each. `has_summary`: the summary is not blank.
CREATE TABLE record (
    key INTEGER PRIMARY KEY,
    id INTEGER NOT NULL,
    call_id INTEGER NOT NULL REFERENCES call (id),
    position INTEGER NOT NULL,
    user_id INTEGER,
    lead_id INTEGER,
    is_transfer INTEGER,
    duration_seconds INTEGER,
    has_file INTEGER,
    has_summary INTEGER,
    record_summary TEXT,
    created_at INTEGER,
    sent INTEGER NOT NULL
);
CREATE INDEX record_by_call ON record (call_id, position);
CREATE INDEX record_by_id ON record (id);

-- Closed spans of an order's calls that were read whole, half-open. `settled`: old enough to be final.
CREATE TABLE covered (
    order_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    synced_at INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    PRIMARY KEY (order_id, since)
) WITHOUT ROWID;

-- The last read of each dictionary. `body` is JSON of the fields that Liner sent.
-- `listed` 0: the entry has left the list.
CREATE TABLE dictionary (kind TEXT PRIMARY KEY, synced_at INTEGER NOT NULL, complete INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE entry (
    kind TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, listed INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- Forgotten calls: what an answer needs to count them for a caller who may see them, and nothing else.
CREATE TABLE forgotten_call (
    id INTEGER PRIMARY KEY, created_at INTEGER, order_id INTEGER, user_id INTEGER
);
CREATE TABLE forgotten_record (id INTEGER PRIMARY KEY, call_id INTEGER);
-- The lead's calls before this moment are forgotten, wherever they come from.
CREATE TABLE forgotten_lead (id INTEGER PRIMARY KEY, before INTEGER NOT NULL);
-- At most one row: every call before this moment is forgotten.
CREATE TABLE forgotten_before (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), before INTEGER NOT NULL);
"""

# Stems of the masked summary, by the key of the record. SQLite's index holds no text.
SQLITE_WORDS = """
CREATE VIRTUAL TABLE word USING fts5(
    stems, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0"
);
"""
# The parser of PostgreSQL makes words of its own, and a tsvector holds 255 positions of a word. So it has no positions
# here and finds few texts, whose sequence of stems is then compared. It holds 1 MB; longer texts belong to odd calls.
POSTGRES_WORDS = """
CREATE TABLE word (
    rowid BIGINT PRIMARY KEY,
    stems TEXT COLLATE "C" NOT NULL,
    lexemes TSVECTOR GENERATED ALWAYS AS (array_to_tsvector(string_to_array(left(stems, 250000), ' '))) STORED
);
CREATE INDEX word_by_lexeme ON word USING gin (lexemes);
-- The statistics of the planner would hold texts.
ALTER TABLE word ALTER COLUMN stems SET STATISTICS 0;
ALTER TABLE call ALTER COLUMN client_phone SET STATISTICS 0;
ALTER TABLE record ALTER COLUMN record_summary SET STATISTICS 0;
ALTER TABLE entry ALTER COLUMN body SET STATISTICS 0;
"""
