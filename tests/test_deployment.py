"""docs/deployment.md and docs/nginx.conf say what holds: numbers, names and commands are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

from liner_mcp.http_server.limits import LIMITS
from liner_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
NGINX = (ROOT / "docs" / "nginx.conf").read_text(encoding="utf-8")
DEADLINE = Settings.model_fields["deadline_seconds"].default


def told(directive: str) -> str:
    (value,) = re.findall(rf"^ *{directive} ([^;]+);", NGINX, re.MULTILINE)
    return value


def test_every_setting_that_is_named_exists() -> None:
    known = {f"LINER_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bLINER_[A-Z_]+\b", DEPLOYMENT + NGINX)) <= known


def test_every_line_of_nginx_that_is_explained_stands_in_the_configuration() -> None:
    table = DEPLOYMENT.split("The purpose of its lines:", 1)[1].split("\n\n")[1]
    explained = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(explained) >= 7
    for line in explained:
        assert re.search(re.escape(line).replace("…", ".*"), NGINX), line


def test_nginx_waits_longer_than_a_call_may_take_and_does_not_repeat_one_that_took_it_all() -> None:
    wait, again = (int(told(name).removesuffix("s")) for name in ("proxy_read_timeout", "proxy_next_upstream_timeout"))
    assert DEADLINE < again < wait
    assert wait > LIMITS.stop_seconds(DEADLINE)


def test_nginx_takes_what_we_take() -> None:
    assert told("client_max_body_size") == f"{LIMITS.body_bytes // 1024}k"


def test_the_page_tells_our_limits() -> None:
    words = " ".join(DEPLOYMENT.split())
    assert f"closed after {LIMITS.idle_seconds} s" in words
    assert f"{LIMITS.parse_seconds} s of the processor" in words
    assert f"{LIMITS.request_seconds(0):g} s more than `LINER_DEADLINE_SECONDS`" in words
    assert f"within {LIMITS.body_seconds} s is answered 408" in words
    assert LIMITS.head_seconds == 10  # written in words
    assert f"answers {LIMITS.max_concurrent_requests} requests at once" in words
    assert f"holds {LIMITS.connections} connections, {LIMITS.connections_per_address} of one address" in words
    assert f"`LINER_DEADLINE_SECONDS` and {LIMITS.closing_seconds:g} s more" in words
    fields = Settings.model_fields
    pace, at_once = fields["requests_per_second"].default, fields["concurrency"].default
    assert f"With the defaults ({pace:g} per second, {at_once} at once)" in words
    assert f"may send {pace * 4:g} requests per second to Liner, {at_once * 4} at once" in words
