"""Under which names, from which pages, below which path, and behind which proxies the server is asked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.http_server.middleware.hosts import allows_host, allows_origin
from tests.http_server.support import PATIENCE, question, result, serve, told

PAGE = "https://app.example.com"


def ask(server: str, path: str = "/mcp", /, **headers: str) -> httpx.Response:
    asked = question("tools/list")
    return httpx.post(server + path, json=asked["json"], headers={**asked["headers"], **headers}, timeout=PATIENCE)


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080", "LOCALHOST"])
def test_loopback_names_are_allowed_unless_others_are_set(host: str) -> None:
    assert allows_host(host, None)
    assert not allows_host(host, ("calls.example.com",))


NOT_LOOPBACK = """evil.example localhost.evil.example 127.0.0.1.evil.example 10.0.0.1 [::1 ::1 [::2] [::1]evil
    127.0.0.1:evil 127.0.0.1:80:80 127.0.0.1,evil anna@localhost 0x7f.1 2130706433"""


@pytest.mark.parametrize("host", ["", *NOT_LOOPBACK.split()])
def test_other_names_are_not(host: str) -> None:
    assert not allows_host(host, None)


def test_a_listed_name_without_a_port_allows_any_port_and_one_with_a_port_only_that() -> None:
    assert allows_host("calls.example.com:443", ("calls.example.com",))
    assert allows_host("Calls.Example.com.", ("calls.example.com",))
    assert allows_host("calls.example.com:8443", ("calls.example.com:8443",))
    assert not allows_host("calls.example.com", ("calls.example.com:8443",))
    assert not allows_host("evil.example", ("calls.example.com",))
    assert allows_host("[2001:db8::1]:80", ("[2001:db8::1]",))


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://localhost.evil.example", "file://", "x", ""]
)
def test_pages_from_elsewhere_are_not_allowed(origin: str) -> None:
    assert not allows_origin(origin, None)
    assert not allows_origin(origin, (PAGE,))


def test_pages_of_this_machine_are_allowed_unless_others_are_set() -> None:
    assert allows_origin("http://localhost:6274", None)
    assert not allows_origin("http://localhost:6274", (PAGE,))
    assert allows_origin(PAGE, (PAGE,))


def test_a_wrong_host_and_a_wrong_origin_are_refused(liner: DemoLiner) -> None:
    with serve(liner) as origin:
        assert "LINER_MCP_ALLOWED_HOSTS" in told(ask(origin, host="evil.example"), 421)
        assert "LINER_MCP_ALLOWED_ORIGINS" in told(ask(origin, origin="https://evil.example"), 403)
        assert "LINER_MCP_ALLOWED_ORIGINS" in told(ask(origin, "/nowhere", origin="null"), 403)
        assert ask(origin, origin="http://localhost:6274").status_code == 200


def test_each_of_several_origins_must_be_allowed(liner: DemoLiner) -> None:
    asked = question("tools/list")
    with serve(liner) as origin:
        headers = [*asked["headers"].items(), ("Origin", "http://localhost:6274"), ("Origin", "https://evil.example")]
        answer = httpx.post(f"{origin}/mcp", json=asked["json"], headers=headers, timeout=PATIENCE)
    assert "LINER_MCP_ALLOWED_ORIGINS" in told(answer, 403)


def test_listed_hosts_and_origins_replace_the_usual_ones(liner: DemoLiner) -> None:
    with serve(liner, mcp_allowed_hosts="calls.example.com, 10.0.0.5:8080", mcp_allowed_origins=f"{PAGE}/") as origin:
        assert ask(origin, host="calls.example.com", origin=PAGE).status_code == 200
        assert ask(origin, host="10.0.0.5:8080").status_code == 200
        told(ask(origin), 421)
        told(ask(origin, host="calls.example.com", origin="http://localhost:6274"), 403)


def test_probes_are_asked_under_any_name(liner: DemoLiner) -> None:
    """Whatever starts containers asks them by address."""
    with serve(liner, mcp_allowed_hosts="calls.example.com") as origin:
        assert httpx.get(f"{origin}/health", headers={"host": "10.1.2.3:8080"}).status_code == 200


def preflight(origin: str, page: str, headers: str) -> httpx.Response:
    asked = {"origin": page, "access-control-request-method": "POST", "access-control-request-headers": headers}
    return httpx.options(f"{origin}/mcp", headers=asked)


def test_a_listed_page_may_ask_and_read_what_clients_need(liner: DemoLiner) -> None:
    with serve(liner, mcp_allowed_origins=PAGE) as origin:
        allowed = preflight(origin, PAGE, "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name")
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert allowed.headers["access-control-allow-methods"] == "GET, POST"
        assert "access-control-allow-credentials" not in allowed.headers
        told(preflight(origin, "https://evil.example", "content-type"), 403)
        assert preflight(origin, PAGE, "x-anything").status_code == 400
        answer = ask(origin, origin=PAGE)
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["vary"] == "Origin"
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert {"www-authenticate", "retry-after", "mcp-session-id"} <= set(exposed.split(", "))


def test_a_page_can_read_a_refusal_too(liner: DemoLiner) -> None:
    with serve(liner, mcp_allowed_origins=PAGE, mcp_requests_per_minute=1) as origin:
        ask(origin, origin=PAGE)
        refused = ask(origin, origin=PAGE)
        assert refused.status_code == 429
        assert refused.headers["access-control-allow-origin"] == PAGE


def test_an_answer_without_an_origin_says_nothing_of_pages(liner: DemoLiner) -> None:
    with serve(liner) as origin:
        assert "access-control-allow-origin" not in ask(origin).headers


def test_a_prefix_is_served_whether_the_proxy_takes_it_off_or_not(liner: DemoLiner) -> None:
    with serve(liner, mcp_path_prefix="/liner/") as origin:
        assert len(result(ask(origin, "/liner/mcp"))["tools"]) == 7
        assert len(result(ask(origin, "/mcp"))["tools"]) == 7
        assert httpx.get(f"{origin}/liner/health").json() == {"alive": True}
        assert httpx.get(f"{origin}/liner/ready").json() == {"ready": True}
        assert "/liner/mcp" in told(ask(origin, "/liner"), 404)
        told(ask(origin, "/linermcp"), 404)


@pytest.mark.parametrize(("proxies", "apart"), [(None, False), ("127.0.0.1", True), ("10.0.0.0/8", False)])
def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy(
    liner: DemoLiner, proxies: str | None, apart: bool
) -> None:
    settings: dict[str, Any] = {"mcp_requests_per_minute": 2, "mcp_trusted_proxies": proxies}
    with serve(liner, **settings) as origin:
        ask(origin, **{"x-forwarded-for": "203.0.113.7"})
        ask(origin, **{"x-forwarded-for": "203.0.113.7"})
        other = ask(origin, **{"x-forwarded-for": "203.0.113.8"})
        assert other.status_code == (200 if apart else 429)
        assert ask(origin, **{"x-forwarded-for": "1.2.3.4, 203.0.113.7"}).status_code == 429


def test_an_ipv4_address_written_as_ipv6_has_a_rate_of_its_own(liner: DemoLiner) -> None:
    with serve(liner, mcp_requests_per_minute=1, mcp_trusted_proxies="127.0.0.1") as origin:
        assert ask(origin, **{"x-forwarded-for": "::ffff:203.0.113.7"}).status_code == 200
        assert ask(origin, **{"x-forwarded-for": "::ffff:203.0.113.8"}).status_code == 200
        assert ask(origin, **{"x-forwarded-for": "203.0.113.7"}).status_code == 429
