"""What is PostgreSQL's own: settings, locks, outages, migrations, privileges, and what a URL may not show."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial

import pytest
from pydantic import SecretStr

from tests.support.command_line import run_within
from tests.support.postgres import Server, database_of, shared_server, started
from tests.support.sync import opened

command = partial(run_within, 120)
DEMO = {"LINER_MCP_DEMO": "true", "LINER_TIMEZONE": "Europe/Moscow", "LINER_REQUESTS_PER_SECOND": "0"}


@pytest.fixture
def url() -> Generator[SecretStr]:
    """An empty database."""
    found = shared_server().new_database()
    yield found
    shared_server().drop(found)


@pytest.fixture
def server() -> Generator[Server]:
    """A server of the test's own, which it may stop."""
    with started() as found:
        yield found


def text_of(url: SecretStr) -> str:
    return url.get_secret_value()


# The command line -----------------------------------------------------------------------------------------------------


def test_the_demo_is_synced_shown_verified_rebuilt_and_forgotten(url: SecretStr) -> None:
    settings = {**DEMO, "LINER_ARCHIVE": text_of(url)}
    first = command("sync", "--since", "-3d", "--json", **settings)
    assert (first.returncode, first.stderr) == (0, "")
    status = json.loads(command("archive", "status", "--json", **settings).stdout)
    assert status["file"] == f"the PostgreSQL database {database_of(url)} at 127.0.0.1:{shared_server().port}"
    assert status["calls"] == json.loads(first.stdout)["calls"] > 0
    assert status["bytes"] > 100_000
    assert command("archive", "verify", **settings).stdout == "The archive is sound.\n"
    assert command("archive", "rebuild", **settings).returncode == 0
    done = command("forget", "--before", "2100-01-01", "--yes", **settings)
    assert done.returncode == 2
    with opened(url, "demo") as connection:
        call = connection.rows("SELECT id FROM call")[0]["id"]
    done = command("forget", "--call", str(call), "--yes", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Deleted: 1 calls" in done.stdout


@pytest.mark.parametrize("arguments", [("sync",), ("archive", "status"), ("forget", "--call", "1", "--yes")])
def test_a_server_that_is_away_is_one_sentence_and_1(arguments: tuple[str, ...]) -> None:
    done = command(*arguments, **DEMO, LINER_ARCHIVE="postgresql://liner:hush@127.0.0.1:1/calls")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the PostgreSQL database calls at 127.0.0.1:1 cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr
