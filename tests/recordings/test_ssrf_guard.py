"""Where a stored link may lead: which spellings are links at all, and which resolved addresses are public."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liner_mcp.recordings.ssrf_guard import FileLink, may_connect, parse_file_link

LINK = FileLink("https", "records.example.com", 443, "/1.mp3")
PLAIN_LINK = FileLink("http", "localhost", 80, "/1.mp3")


def allowed(address: str) -> bool:
    return may_connect(address, LINK, loopback=False)


# The link ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.com/1.mp3", FileLink("https", "example.com", 443, "/1.mp3")),
        ("https://example.com:8443/a/b.mp3", FileLink("https", "example.com", 8443, "/a/b.mp3")),
        ("https://example.com", FileLink("https", "example.com", 443, "/")),
        ("https://example.com?token=a%2Bb+c", FileLink("https", "example.com", 443, "/?token=a%2Bb+c")),
        ("https://example.com:/1.mp3", FileLink("https", "example.com", 443, "/1.mp3")),
        ("https://example.com:0/1.mp3", FileLink("https", "example.com", 0, "/1.mp3")),
        ("HTTPS://Example.COM/A.mp3", FileLink("https", "example.com", 443, "/A.mp3")),
        (" https://example.com/1.mp3\n", FileLink("https", "example.com", 443, "/1.mp3")),
        ("https://example.com/@a:b//c;d", FileLink("https", "example.com", 443, "/@a:b//c;d")),
        ("https://my_files.example.com/1.mp3", FileLink("https", "my_files.example.com", 443, "/1.mp3")),
        ("https://[2606:4700::1111]/1.mp3", FileLink("https", "2606:4700::1111", 443, "/1.mp3")),
        ("https://пример.рф/я.mp3", FileLink("https", "xn--e1afmkfd.xn--p1ai", 443, "/%D1%8F.mp3")),
        ("https://example.com/a b%20c%.mp3?d e", FileLink("https", "example.com", 443, "/a%20b%20c%25.mp3?d%20e")),
    ],
)
def test_a_plain_https_link_is_taken_apart(url: str, link: FileLink) -> None:
    assert parse_file_link(url, loopback=False) == link


def test_what_stands_behind_the_hash_is_not_requested() -> None:
    link = parse_file_link("https://example.com/1.mp3#secret", loopback=False)
    assert link is not None
    assert link.target == "/1.mp3"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://example.com/1.mp3",
        "http://example.com/1.mp3",
        "gopher://example.com/1.mp3",
        "data:audio/mpeg;base64,AAAA",
        "javascript:alert(1)",
        "unix:///var/run/docker.sock",
        "//example.com/1.mp3",
        "/1.mp3",
        "example.com/1.mp3",
        "https:example.com/1.mp3",
        "https:/example.com/1.mp3",
        "https:///1.mp3",
        "https://",
        "",
        " ",
    ],
)
def test_anything_but_https_with_a_host_is_no_link(url: str) -> None:
    assert parse_file_link(url, loopback=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://user@example.com/1.mp3",
        "https://user:password@example.com/1.mp3",
        "https://:password@example.com/1.mp3",
        "https://@example.com/1.mp3",
        "https://:@example.com/1.mp3",
        "https://example.com@169.254.169.254/1.mp3",
        "https://example.com%40a@b.example.com/",
    ],
)
def test_a_link_with_a_user_name_is_refused(url: str) -> None:
    assert parse_file_link(url, loopback=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com\\@169.254.169.254/1.mp3",
        "https:\\\\example.com\\1.mp3",
        "https://example.com/a\\b.mp3",
        "https://exam ple.com/1.mp3",
        "https://example.com /1.mp3",
        "https://example.com: 443/1.mp3",
        "https://ex ample@example.com/1.mp3",
        "https://example.com/a\tb.mp3",
        "https://exam\tple.com/1.mp3",
        "https://example.com/a\r\nX-Api-Key: 1",
        "https://example.com\r\nHost: a/1.mp3",
        "ht\ntps://example.com/1.mp3",
        "\x00https://example.com/1.mp3",
        "https://example.com/\x00",
        "https://example.com\x00.example.org/",
    ],
)
def test_a_link_with_a_backslash_a_control_character_or_a_space_in_its_host_is_refused(url: str) -> None:
    assert parse_file_link(url, loopback=False) is None


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "x", "4 43", "٤٤٣", "443:80"])
def test_a_port_that_does_not_exist_is_refused(port: str) -> None:
    assert parse_file_link(f"https://example.com:{port}/1.mp3", loopback=False) is None


@pytest.mark.parametrize(
    "host",
    [
        "[fe80::1%eth0]",  # a zone names an interface of this machine
        "[fe80::1%25eth0]",
        "[::1",
        "::1]",
        "ex%61mple.com",
        "example.com%2f.example.org",
        "example..com",
        ".example.com",
        "a" * 64 + ".com",
        "пример" * 20 + ".com",
        "exam\N{IDEOGRAPHIC SPACE}ple.com",
        "example.com\N{FULLWIDTH SOLIDUS}.example.org",
        "example.com\N{FULLWIDTH COMMERCIAL AT}example.org",
        "example.com\N{FULLWIDTH REVERSE SOLIDUS}example.org",
        "example.com\N{FULLWIDTH PERCENT SIGN}2f",
        "exam\udc80ple.com",
        "exam\x7fple.com",
        'exam"ple.com',
        "exam<ple>.com",
        "a,b",
    ],
)
def test_a_host_that_no_name_or_address_is_spelled_like_is_refused(host: str) -> None:
    assert parse_file_link(f"https://{host}/1.mp3", loopback=False) is None


@pytest.mark.parametrize(
    ("host", "read"),
    [
        ("１２７.０.０.１", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("lo\N{SOFT HYPHEN}calhost", "localhost"),
    ],
)
def test_a_disguised_host_is_resolved_as_what_it_stands_for(host: str, read: str) -> None:
    link = parse_file_link(f"https://{host}/1.mp3", loopback=False)
    assert link is not None
    assert link.host == read


def test_plain_http_is_a_link_only_for_a_demo_liner() -> None:
    url = "http://127.0.0.1:8080/1.mp3"
    assert parse_file_link(url, loopback=False) is None
    assert parse_file_link(url, loopback=True) == FileLink("http", "127.0.0.1", 8080, "/1.mp3")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a@127.0.0.1/", "http://"])
def test_a_demo_liner_gets_no_other_freedom(url: str) -> None:
    assert parse_file_link(url, loopback=True) is None


@pytest.mark.parametrize(
    ("link", "authority"),
    [
        (FileLink("https", "example.com", 443, "/"), "example.com"),
        (FileLink("https", "example.com", 80, "/"), "example.com:80"),
        (FileLink("https", "example.com", 0, "/"), "example.com:0"),
        (FileLink("http", "localhost", 80, "/"), "localhost"),
        (FileLink("http", "localhost", 443, "/"), "localhost:443"),
        (FileLink("https", "2606:4700::1111", 443, "/"), "[2606:4700::1111]"),
        (FileLink("https", "2606:4700::1111", 8443, "/"), "[2606:4700::1111]:8443"),
    ],
)
def test_the_host_header_names_the_port_only_when_it_is_not_the_schemes_own(link: FileLink, authority: str) -> None:
    assert link.authority == authority


@given(rest=st.text(max_size=80) | st.text(alphabet="ab.:/@[]%\\?# 019\t\n", max_size=80), loopback=st.booleans())
@example(rest="[", loopback=False)
@example(rest="a:b", loopback=False)
def test_no_text_breaks_the_reading_of_a_link(rest: str, loopback: bool) -> None:
    link = parse_file_link(f"https://{rest}", loopback=loopback)
    if link is not None:
        assert link.scheme == "https"
        assert link.host.isascii()
        assert not set(link.host) & set("%@/\\?#[] \t\r\n")
        assert 0 <= link.port <= 65535
        assert link.target.startswith("/")


# The address -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "168.63.129.15",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.255.255",
        "198.17.255.255",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001:81b::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.255.255.254", id="loopback's end"),
        pytest.param("10.0.0.1", id="private 10"),
        pytest.param("172.16.0.1", id="private 172.16"),
        pytest.param("172.31.255.255", id="private 172.31"),
        pytest.param("192.168.1.1", id="private 192.168"),
        pytest.param("169.254.0.1", id="link-local"),
        pytest.param("169.254.169.254", id="metadata of most clouds"),
        pytest.param("169.254.170.2", id="metadata of containers"),
        pytest.param("100.64.0.1", id="carrier"),
        pytest.param("100.127.255.255", id="carrier's end"),
        pytest.param("100.100.100.200", id="metadata of Alibaba"),
        pytest.param("168.63.129.16", id="metadata of Azure"),
        pytest.param("192.0.0.192", id="metadata of Oracle"),
        pytest.param("192.0.0.9", id="nearest router, PCP"),
        pytest.param("192.0.0.10", id="nearest router, TURN"),
        pytest.param("192.0.0.170", id="NAT64 discovery"),
        pytest.param("192.88.99.1", id="relay into 6to4"),
        pytest.param("0.0.0.0", id="unspecified"),  # noqa: S104 - an address to refuse, not to bind
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("239.255.255.250", id="multicast of SSDP"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("192.0.2.1", id="documentation 1"),
        pytest.param("198.51.100.1", id="documentation 2"),
        pytest.param("203.0.113.1", id="documentation 3"),
        pytest.param("198.18.0.1", id="benchmark"),
        pytest.param("198.19.255.255", id="benchmark's end"),
    ],
)
def test_an_ipv4_address_that_is_not_public_is_refused_in_every_spelling(address: str) -> None:
    assert not allowed(address)
    assert not allowed(f"::ffff:{address}")
    assert not allowed(f"64:ff9b::{address}")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("::", id="unspecified"),
        pytest.param("::1", id="loopback"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="link-local with a zone"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("fc00::1", id="private"),
        pytest.param("fd00:ec2::254", id="metadata of AWS"),
        pytest.param("fd20:ce::254", id="metadata of Google"),
        pytest.param("ff02::1", id="multicast of the link"),
        pytest.param("ff0e::1", id="multicast of the world"),
        pytest.param("100::1", id="discard"),
        pytest.param("2001:db8::1", id="documentation"),
        pytest.param("3fff::1", id="documentation since 2024"),
        pytest.param("2001:2::1", id="benchmark"),
        pytest.param("2001:1::1", id="nearest router, PCP"),
        pytest.param("2001:20::1", id="ORCHID"),
        pytest.param("5f00::1", id="segment routing"),
        pytest.param("::8.8.8.8", id="IPv4-compatible"),
        pytest.param("::127.0.0.1", id="IPv4-compatible loopback"),
        pytest.param("::ffff:0:8.8.8.8", id="IPv4-translated"),
        pytest.param("64:ff9b:1::8.8.8.8", id="NAT64 of local use"),
        pytest.param("64:ff9b:1::a00:1", id="NAT64 of local use, private"),
        pytest.param("64:ff9b:0:1::808:808", id="beside NAT64"),
        pytest.param("2002:808:808::1", id="6to4"),
        pytest.param("2002:7f00:1::", id="6to4 loopback"),
        pytest.param("2001:0:808:808::", id="Teredo"),
        pytest.param("2001:0:4136:e378:8000:63bf:f5ff:fffe", id="Teredo, private"),
        pytest.param("2606:4700::1111%eth0", id="a zone on a public address"),
    ],
)
def test_an_ipv6_address_that_is_not_plainly_public_is_refused(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize(
    "address",
    ["", "example.com", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "8.8.8.8:443", "[::1]", "8.8.8.8 "],
)
def test_what_is_not_written_as_an_address_is_refused(address: str) -> None:
    assert not allowed(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_fares_as_it_does_alone(address: IPv4Address) -> None:
    alone = allowed(str(address))
    assert allowed(f"::ffff:{address}") == alone
    assert allowed(f"64:ff9b::{address}") == alone


@given(st.ip_addresses(v=4), st.integers(0, 2**64 - 1))
def test_no_tunnel_is_let_through_whatever_it_wraps(address: IPv4Address, rest: int) -> None:
    inner = int(address)
    assert not allowed(str(IPv6Address(inner)))
    assert not allowed(str(IPv6Address(0x2002 << 112 | inner << 80 | rest)))
    assert not allowed(str(IPv6Address(0x20010000 << 96 | inner << 64 | rest)))
    assert not allowed(str(IPv6Address(0x64FF9B0001 << 80 | rest)))


def test_a_demo_liner_may_be_on_this_machine_and_nowhere_else_inside() -> None:
    for link in (LINK, PLAIN_LINK):
        assert may_connect("127.0.0.1", link, loopback=True)
        assert may_connect("::1", link, loopback=True)
        for inside in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "fd00::1", "::", "::1%lo", "::ffff:10.0.0.1"):  # noqa: S104
            assert not may_connect(inside, link, loopback=True)


def test_plain_http_never_leaves_this_machine() -> None:
    assert may_connect("8.8.8.8", LINK, loopback=True)
    assert not may_connect("8.8.8.8", PLAIN_LINK, loopback=True)
    assert not may_connect("8.8.8.8", PLAIN_LINK, loopback=False)
