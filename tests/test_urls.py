"""Addresses taken apart: what is one, and which two lead to the same server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.urls import allowed_host, allowed_origin, ascii_host, is_same_server, parse_url, port_of
from tests.support.sentences import error_says


@given(st.text(st.characters(exclude_categories=[])), st.sampled_from(["", "https://liner.example/v2/order/"]))
def test_no_text_makes_the_parser_or_its_result_raise(text: str, base: str) -> None:
    url = parse_url(text, base)
    if url is not None:
        assert url.hostname
        assert port_of(url) is None or isinstance(port_of(url), int)
        assert ascii_host(url).isascii()
        assert is_same_server(url, url) in (True, False)


@pytest.mark.parametrize(
    "text", ["", "/v2/order/", "https://", "https://:443/", "https://[::1", "https://a:port", "a:1"]
)
def test_a_text_without_a_host_or_with_a_wrong_port_is_no_address(text: str) -> None:
    assert parse_url(text) is None


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("calls.example.com", "calls.example.com"),
        ("calls.example.com.", "calls.example.com"),
        ("calls.example.com.:8080", "calls.example.com:8080"),
        ("[::1]:8080", "[::1]:8080"),
    ],
)
def test_an_allowed_host_is_compared_without_its_last_dot(written: str, host: str) -> None:
    assert allowed_host(written) == host


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://App.example.com:443/", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80"),
    ],
)
def test_an_allowed_origin_is_written_as_browsers_send_it(written: str, origin: str) -> None:
    assert allowed_origin(written) == origin


@pytest.mark.parametrize("text", ["app.example.com", "ftp://app.example.com", "null", "https://", "https://a b", "*"])
def test_what_no_browser_sends_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, check=error_says("it_takes_origins_of_web_pages")):
        allowed_origin(text)
