"""Fetching a recording from a link that is not trusted: where it may lead, how much is read, what counts as audio."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import anyio
import anyio.abc
import httpx
import pytest
from anyio.streams.tls import TLSListener, TLSStream

from liner_mcp.demo.audio import silence
from liner_mcp.errors import AudioRefused, AudioUnavailable, LinerError, SettingsError
from liner_mcp.recordings.download import MAX_REDIRECTS, AudioClient
from tests.support.certificates import self_signed
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

PUBLIC, ALSO_PUBLIC, PUBLIC_6 = "93.184.216.34", "8.8.8.8", "2606:4700::1111"
METADATA = "169.254.169.254"
HOST = "records.example.com"
LINK = f"https://{HOST}/k9/7f3e.mp3?sig=c0ffee"
AUDIO = silence(1)
FRAME = bytes.fromhex("fffb9000")  # MPEG-1, Layer III, 128 kbit/s, 44.1 kHz

Answer = Callable[[], httpx.Response] | Exception


class CountingBody(httpx.AsyncByteStream):
    """Stands in for a body on its way: counts the pieces that were taken, then breaks or waits if told to."""

    def __init__(self, *pieces: bytes, times: int = 1, then: Exception | anyio.CancelScope | None = None) -> None:
        self._pieces = pieces
        self._times = times
        self._then = then
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._times):
            for piece in self._pieces:
                self.taken += 1
                yield piece
        if isinstance(self._then, Exception):
            raise self._then
        if self._then is not None:
            self._then.deadline = anyio.current_time()  # the time is up just now, in the middle of the body
            await anyio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


def answer(
    body: bytes | CountingBody = AUDIO, status: int = 200, headers: Mapping[str, str] | None = None
) -> Callable[[], httpx.Response]:
    """An answer to be given."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return lambda: httpx.Response(status, headers=raw, stream=CountingBody(body) if isinstance(body, bytes) else body)


def redirect(
    location: str, status: int = 302, headers: Mapping[str, str] | None = None
) -> Callable[[], httpx.Response]:
    return answer(b"moved", status, {"location": location, **(headers or {})})


class FakeHost(httpx.AsyncBaseTransport):
    """Stands in for the network: gives its answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers or (answer(),)
        self.asked: list[httpx.Request] = []
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        chosen = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append(request)
        if isinstance(chosen, Exception):
            raise chosen
        return chosen()

    async def aclose(self) -> None:
        self.closed = True


class FakeDns:
    """Stands in for DNS: an address is its own answer, a name gets the lists in turn, the last one for ever."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self._answers = answers or ([PUBLIC],)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            chosen = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append((host, port))
        if isinstance(chosen, Exception):
            raise chosen
        return chosen


def without_delay(_: float) -> float:
    return 0.0


async def fetch(
    host: FakeHost | None = None,
    *,
    url: str = LINK,
    names: FakeDns | None = None,
    max_bytes: int = 100_000,
    loopback: bool = False,
) -> bytes:
    client = AudioClient(
        max_bytes=max_bytes,
        loopback=loopback,
        transport=host or FakeHost(),
        resolve=names or FakeDns(),
        jitter=without_delay,
    )
    return await client.fetch(url)


async def failure(
    host: FakeHost | None = None,
    *,
    url: str = LINK,
    names: FakeDns | None = None,
    max_bytes: int = 100_000,
    loopback: bool = False,
) -> LinerError:
    """The error of a fetch that must fail: one of the two that are promised, finished, and silent about the link."""
    with pytest.raises((AudioRefused, AudioUnavailable)) as caught:
        await fetch(host, url=url, names=names, max_bytes=max_bytes, loopback=loopback)
    error, text = caught.value, str(caught.value)
    assert text.isprintable()
    assert text.endswith(".")
    assert len(text) < 200
    for secret in ("://", "example", "7f3e", "c0ffee", PUBLIC, METADATA, "secret"):
        assert secret not in text
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__  # a log with a stack shows no link either
    return error


async def assert_refused_without_request(url: str, names: FakeDns | None = None, *, loopback: bool = False) -> None:
    """The link is refused before a single connection."""
    host = FakeHost()
    assert isinstance(await failure(host, url=url, names=names, loopback=loopback), AudioRefused)
    assert host.asked == []


# The way there -----------------------------------------------------------------------------------------------------


async def test_a_recording_is_fetched_whole() -> None:
    assert await fetch() == AUDIO


async def test_the_request_goes_to_the_checked_address_under_the_hosts_name() -> None:
    host, names = FakeHost(), FakeDns([PUBLIC, ALSO_PUBLIC])
    await fetch(host, names=names)
    (request,) = host.asked
    assert request.method == "GET"
    assert request.url == f"https://{PUBLIC}/k9/7f3e.mp3?sig=c0ffee"
    assert request.headers["host"] == HOST
    assert request.extensions["sni_hostname"] == HOST
    assert names.asked == [(HOST, 443)]


async def test_a_port_of_its_own_is_asked_and_named() -> None:
    host, names = FakeHost(), FakeDns([PUBLIC_6])
    await fetch(host, url=f"https://{HOST}:8443/1.mp3", names=names)
    assert str(host.asked[0].url) == f"https://[{PUBLIC_6}]:8443/1.mp3"
    assert host.asked[0].headers["host"] == f"{HOST}:8443"
    assert names.asked == [(HOST, 8443)]


async def test_a_host_that_resolves_to_something_else_the_second_time_gains_nothing() -> None:
    host, names = FakeHost(), FakeDns([PUBLIC], ["127.0.0.1"])
    await fetch(host, names=names)
    assert [request.url.host for request in host.asked] == [PUBLIC]
    assert names.asked == [(HOST, 443)]


async def test_a_host_that_rebinds_between_two_redirects_is_caught() -> None:
    host, names = FakeHost(redirect("/again.mp3"), answer()), FakeDns([PUBLIC], ["127.0.0.1"])
    assert "private network" in str(await failure(host, names=names))
    assert len(host.asked) == 1


async def test_every_request_has_a_limit_on_each_wait() -> None:
    host = FakeHost()
    await fetch(host)
    timeout = host.asked[0].extensions["timeout"]
    assert 0 < timeout["connect"] <= timeout["read"] == timeout["write"] <= 30


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://records.example.com/1.mp3",
        "http://records.example.com/1.mp3",
        "https://user:secret@records.example.com/1.mp3",
        "https://records.example.com\\@127.0.0.1/",
        "https://records.exam ple.com/a.mp3",
        "https://records.example.com /a.mp3",
        "https://records.example.com/a\nb.mp3",
        "https://records.example.com/a\tb.mp3",
        "https://records.example.com:99999/1.mp3",
        "https://[fe80::1%25eth0]/1.mp3",
        "",
    ],
)
async def test_what_is_not_a_plain_https_link_is_refused_without_a_connection(url: str) -> None:
    await assert_refused_without_request(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"https://{HOST}/" + "a" * 70_000, id="very long"),
        pytest.param(f"https://{HOST}/\x7fsecret", id="a control character"),
        pytest.param(f"https://{HOST}/\udcff", id="half a surrogate"),
        pytest.param("https://[2606:4700::1111/1.mp3", id="half a bracket"),
    ],
)
async def test_a_link_that_no_request_can_be_made_of_is_refused_too(url: str) -> None:
    await assert_refused_without_request(url)


async def test_port_nought_is_refused_by_the_network_like_any_closed_port() -> None:
    host = FakeHost(httpx.ConnectError("[Errno 111] connect to records.example.com:0"))
    assert isinstance(await failure(host, url=f"https://{HOST}:0/1.mp3"), AudioUnavailable)


async def test_a_name_and_a_path_in_other_letters_are_encoded() -> None:
    host, names = FakeHost(), FakeDns()
    await fetch(host, url="https://пример.рф/звонок.mp3?имя=a%2Fb+c", names=names)
    assert names.asked == [("xn--e1afmkfd.xn--p1ai", 443)]
    (request,) = host.asked
    assert request.headers["host"] == request.extensions["sni_hostname"] == "xn--e1afmkfd.xn--p1ai"
    assert request.url.raw_path == (
        b"/%D0%B7%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA.mp3?%D0%B8%D0%BC%D1%8F=a%2Fb+c"  # what was encoded stays as it was
    )


@pytest.mark.parametrize(
    ("written", "requested"),
    [
        ("/a b.mp3", b"/a%20b.mp3"),
        ("/a%20b.mp3?name=Anna Petrova", b"/a%20b.mp3?name=Anna%20Petrova"),
        ('/"a"<b>{c}|^`.mp3', b"/%22a%22%3Cb%3E%7Bc%7D%7C%5E%60.mp3"),
        ("/50%.mp3?x=%zz", b"/50%25.mp3?x=%25zz"),
        ("/a@b:c;d,e=(f)!'*~.mp3", b"/a@b:c;d,e=(f)!'*~.mp3"),
    ],
)
async def test_characters_that_a_link_should_encode_are_encoded_in_links_and_redirects(
    written: str, requested: bytes
) -> None:
    host = FakeHost(redirect(written), answer())
    assert await fetch(host, url=f"https://{HOST}{written}") == AUDIO
    assert [request.url.raw_path for request in host.asked] == [requested, requested]


# The guard ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.0.1",
        METADATA,
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::",
        "records.example.com",
    ],
)
async def test_a_name_that_leads_inside_is_refused_even_beside_a_public_address(address: str) -> None:
    await assert_refused_without_request(LINK, FakeDns([address]))
    await assert_refused_without_request(LINK, FakeDns([address, PUBLIC]))
    await assert_refused_without_request(LINK, FakeDns([PUBLIC, address]))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",  # 127.0.0.1 as one number
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0",
        "0xa9fea9fe",  # 169.254.169.254
        "2852039166",
        "0251.0376.0251.0376",
        "10.1",
        "１２７.０.０.１",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::1]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00:ec2::254]",
    ],
)
async def test_an_address_inside_is_refused_however_the_link_spells_it(host: str) -> None:
    network = FakeHost()
    client = AudioClient(max_bytes=1000, transport=network)  # the system's own resolver reads these without a network
    with pytest.raises((AudioRefused, AudioUnavailable)):  # a system that cannot read one calls it unknown
        await client.fetch(f"https://{host}/1.mp3")
    assert network.asked == []


async def test_the_systems_resolver_lets_a_public_address_through() -> None:
    network = FakeHost()
    await AudioClient(max_bytes=100_000, transport=network).fetch(f"https://{PUBLIC}/1.mp3")
    assert network.asked[0].url.host == network.asked[0].headers["host"] == PUBLIC


@pytest.mark.parametrize(
    "unknown", [[], OSError("no records.example.com"), TimeoutError(), UnicodeError("label records.example.com")]
)
async def test_a_host_that_resolves_to_nothing_cannot_be_found(unknown: list[str] | Exception) -> None:
    host = FakeHost()
    error = await failure(host, names=FakeDns(unknown))
    assert isinstance(error, AudioUnavailable)
    assert_says(str(error), "cannot_be_found_dns")
    assert host.asked == []


async def test_a_demo_liner_may_serve_its_files_from_this_machine_only() -> None:
    host = FakeHost()
    assert await fetch(host, url="http://127.0.0.1:8080/1.mp3", loopback=True) == AUDIO
    assert await fetch(host, url="http://localhost/1.mp3", names=FakeDns(["127.0.0.1"]), loopback=True) == AUDIO
    assert [str(request.url) for request in host.asked] == ["http://127.0.0.1:8080/1.mp3", "http://127.0.0.1/1.mp3"]
    for inside in (["10.0.0.1"], [METADATA], ["127.0.0.1", "10.0.0.1"]):
        await assert_refused_without_request(LINK, FakeDns(inside), loopback=True)
    await assert_refused_without_request("http://records.example.com/1.mp3", loopback=True)
    await assert_refused_without_request("http://127.0.0.1:8080/1.mp3")


# Redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "url", "name"),
    [
        ("/b.mp3?x=1", f"https://{PUBLIC}/b.mp3?x=1", HOST),
        ("b.mp3", f"https://{PUBLIC}/k9/b.mp3", HOST),
        ("?sig=2", f"https://{PUBLIC}/k9/7f3e.mp3?sig=2", HOST),
        ("//cdn.example.org/b.mp3", f"https://{PUBLIC}/b.mp3", "cdn.example.org"),
        ("https://cdn.example.org:8443/b.mp3", f"https://{PUBLIC}:8443/b.mp3", "cdn.example.org:8443"),
        (f"https://{ALSO_PUBLIC}/b.mp3", f"https://{ALSO_PUBLIC}/b.mp3", ALSO_PUBLIC),
    ],
)
async def test_a_redirect_is_followed_to_where_it_leads(status: int, location: str, url: str, name: str) -> None:
    host = FakeHost(redirect(location, status), answer())
    assert await fetch(host) == AUDIO
    assert len(host.asked) == 2
    assert str(host.asked[1].url) == url
    assert host.asked[1].headers["host"] == name


@pytest.mark.parametrize(
    "location",
    [
        f"https://{METADATA}/latest/meta-data/",
        f"http://{METADATA}/latest/meta-data/",
        f"//{METADATA}/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "http://records.example.com/7f3e.mp3",
        "ftp://records.example.com/7f3e.mp3",
        "https://user:secret@records.example.com/",
        "https://records.example.com\\@127.0.0.1/",
        "//records.example.com:99999/",
        "https://[::1",
        "//[secret",
        "/\x7f",
        "/" + "a" * 70_000,
    ],
)
async def test_a_redirect_is_checked_like_the_link_itself(location: str) -> None:
    host = FakeHost(redirect(location), answer())
    assert isinstance(await failure(host), AudioRefused)
    assert len(host.asked) == 1


async def test_a_redirect_to_a_name_that_leads_inside_is_refused() -> None:
    host = FakeHost(redirect("https://inside.example.org/"), answer())
    names = FakeDns([PUBLIC], [METADATA])
    assert isinstance(await failure(host, names=names), AudioRefused)
    assert names.asked == [(HOST, 443), ("inside.example.org", 443)]
    assert len(host.asked) == 1


async def test_three_redirects_are_followed_and_four_are_not() -> None:
    hops = [redirect(f"/{hop}.mp3") for hop in range(4)]
    assert MAX_REDIRECTS == 3
    assert await fetch(FakeHost(*hops[:3], answer())) == AUDIO
    host = FakeHost(*hops, answer())
    assert_says(str(await failure(host)), "more_than_3_times")
    assert len(host.asked) == 4


@pytest.mark.parametrize("location", [LINK, "", "#here"])
async def test_a_redirect_loop_ends(location: str) -> None:
    host = FakeHost(redirect(location))
    assert isinstance(await failure(host), AudioRefused)
    assert len(host.asked) == 1 + MAX_REDIRECTS


async def test_the_body_of_a_redirect_is_not_read() -> None:
    body = CountingBody(b"moved" * 1000, times=1000)
    assert await fetch(FakeHost(answer(body, 302, {"location": "/b.mp3"}), answer())) == AUDIO
    assert body.taken == 0
    assert body.closed


async def test_nothing_that_tells_who_we_are_is_sent_to_any_host() -> None:
    cookie = {"set-cookie": "id=secret; Domain=example.com; Path=/", "www-authenticate": "Basic"}
    away = redirect("https://cdn.example.org/", headers=cookie)
    host = FakeHost(redirect("/b.mp3", headers=cookie), away, answer(headers=cookie))
    client = AudioClient(max_bytes=100_000, transport=host, resolve=FakeDns())
    await client.fetch(LINK)
    await client.fetch(LINK)
    assert len(host.asked) == 4
    for request in host.asked:
        assert set(request.headers) == {"host", "accept", "accept-encoding", "user-agent"}
        assert request.headers["user-agent"].startswith("liner-mcp/")
        assert request.read() == b""


# What comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_expired_or_closed_link_is_an_unavailable_recording(status: int) -> None:
    body = CountingBody(b"<html>secret</html>")
    host = FakeHost(answer(body, status))
    error = await failure(host)
    assert isinstance(error, AudioUnavailable)
    assert_says(str(error), "http_its_link_may_have_expired", status=status)
    assert len(host.asked) == 1
    assert (body.taken, body.closed) == (0, True)


@pytest.mark.parametrize(
    ("status", "attempts"),
    [*((status, 1) for status in (201, 204, 206, 300, 301, 304, 400)), (429, 4), (500, 4), (503, 4)],
)
async def test_any_other_status_is_a_failure_of_the_host(status: int, attempts: int) -> None:
    body = CountingBody(AUDIO)
    host = FakeHost(answer(body, status))
    error = await failure(host)
    assert isinstance(error, AudioUnavailable)
    assert_says(str(error), "failed_to_answer_http", status=status)
    assert (body.taken, body.closed) == (0, True)
    assert len(host.asked) == attempts


@pytest.mark.parametrize(
    "passing",
    [
        answer(b"", 429, {"retry-after": "0"}),
        answer(b"", 503),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        answer(CountingBody(AUDIO[:100], then=httpx.ReadError("reset"))),
    ],
    ids=["429", "503", "reset", "closed", "broken body"],
)
async def test_a_failure_that_passes_is_retried_with_the_whole_link(passing: Answer) -> None:
    host, names = FakeHost(redirect("/b.mp3"), passing, answer()), FakeDns()
    assert await fetch(host, names=names) == AUDIO
    assert [request.url.path for request in host.asked] == ["/k9/7f3e.mp3", "/b.mp3", "/k9/7f3e.mp3"]
    assert len(names.asked) == 3  # every attempt resolves and checks the host again


async def test_a_host_that_moves_inside_between_two_attempts_is_refused() -> None:
    host, names = FakeHost(answer(b"", 503), answer()), FakeDns([PUBLIC], [METADATA])
    assert "private network" in str(await failure(host, names=names))
    assert len(host.asked) == 1


@pytest.mark.virtual_time
async def test_a_wait_that_the_host_asks_for_counts_if_the_deadline_allows_it() -> None:
    patient = FakeHost(answer(b"", 429, {"retry-after": "30"}), answer())
    with anyio.fail_after(40):
        begun = anyio.current_time()
        assert await fetch(patient) == AUDIO
        assert anyio.current_time() - begun >= 30
    hurried = FakeHost(answer(b"", 429, {"retry-after": "30"}), answer())
    with anyio.fail_after(20):
        assert_says(str(await failure(hurried)), "failed_to_answer_http", status=429)
    assert len(hurried.asked) == 1


# Addresses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unreachable", [httpx.ConnectError("no route"), httpx.ConnectTimeout("secret")], ids=repr)
async def test_every_address_of_a_host_is_tried_in_order(unreachable: Exception) -> None:
    host = FakeHost(unreachable, unreachable, answer())
    assert await fetch(host, names=FakeDns([PUBLIC_6, PUBLIC, ALSO_PUBLIC])) == AUDIO
    assert [request.url.host for request in host.asked] == [PUBLIC_6, PUBLIC, ALSO_PUBLIC]
    assert {request.headers["host"] for request in host.asked} == {HOST}


async def test_an_answer_of_the_first_address_is_final() -> None:
    host = FakeHost(answer(b"", 404))
    await failure(host, names=FakeDns([PUBLIC, ALSO_PUBLIC]))
    assert [request.url.host for request in host.asked] == [PUBLIC]


async def test_a_host_none_of_whose_addresses_answers_is_tried_with_all_of_them_each_time() -> None:
    host = FakeHost(httpx.ConnectError("refused"))
    assert_says(
        str(await failure(host, names=FakeDns([PUBLIC, ALSO_PUBLIC]))), "connection_to_the_recordings_host_failed"
    )
    assert [request.url.host for request in host.asked] == [PUBLIC, ALSO_PUBLIC] * 4


LOST = [
    httpx.ConnectError("refused by records.example.com"),
    httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] not valid for 'records.example.com'"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    ConnectionResetError("secret"),
    ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] secret"),
]
LATE = [httpx.ConnectTimeout("secret"), httpx.ReadTimeout("secret"), httpx.WriteTimeout("secret")]


@pytest.mark.parametrize("broken", LOST, ids=repr)
async def test_a_connection_that_keeps_failing_is_one_sentence_after_four_attempts(broken: Exception) -> None:
    host = FakeHost(broken)
    error = await failure(host)
    assert isinstance(error, AudioUnavailable)
    assert_says(str(error), "connection_to_the_recordings_host_failed")
    assert len(host.asked) == 4


@pytest.mark.parametrize("late", LATE, ids=repr)
async def test_a_host_that_is_too_slow_is_one_sentence_and_one_try(late: Exception) -> None:
    host = FakeHost(late)
    error = await failure(host)
    assert isinstance(error, AudioUnavailable)
    assert_says(str(error), "did_not_answer_in_time")
    assert len(host.asked) == 1


@pytest.mark.parametrize("broken", [*LOST, *LATE], ids=repr)
async def test_a_body_that_breaks_off_is_not_passed_on(broken: Exception) -> None:
    body = CountingBody(AUDIO, then=broken)
    assert isinstance(await failure(FakeHost(answer(body))), AudioUnavailable)
    assert body.closed


async def test_a_body_slower_than_the_callers_deadline_is_given_up() -> None:
    deadline = anyio.CancelScope()
    body = CountingBody(AUDIO, then=deadline)
    with deadline:
        await fetch(FakeHost(answer(body)))
    assert deadline.cancelled_caught
    assert (body.taken, body.closed) == (1, True)


async def test_a_resolver_slower_than_the_callers_deadline_is_given_up() -> None:
    host = FakeHost()
    deadline = anyio.CancelScope()

    async def stand_in_for_slow_dns(_host: str, _port: int) -> list[str]:
        deadline.deadline = anyio.current_time()
        await anyio.Event().wait()
        return [PUBLIC]

    with deadline:
        await AudioClient(max_bytes=1000, transport=host, resolve=stand_in_for_slow_dns).fetch(LINK)
    assert deadline.cancelled_caught
    assert host.asked == []


async def test_a_file_of_just_the_largest_size_is_let_through_and_one_byte_more_is_not() -> None:
    assert await fetch(max_bytes=len(AUDIO)) == AUDIO
    assert await fetch(FakeHost(answer(headers={"content-length": str(len(AUDIO))})), max_bytes=len(AUDIO)) == AUDIO
    assert isinstance(await failure(max_bytes=len(AUDIO) - 1), AudioRefused)


async def test_an_endless_body_is_read_no_further_than_the_cap() -> None:
    body = CountingBody(FRAME * 256, times=1000)
    error = await failure(FakeHost(answer(body)), max_bytes=10_240)
    assert isinstance(error, AudioRefused)
    assert_says(str(error), "more_than_10_240_bytes_liner")
    assert (body.taken, body.closed) == (11, True)


async def test_a_file_that_says_it_is_too_large_is_not_read() -> None:
    body = CountingBody(AUDIO)
    error = await failure(FakeHost(answer(body, headers={"content-length": "1234567"})))
    assert isinstance(error, AudioRefused)
    assert_says(str(error), "1_234_567_bytes_liner_max")
    assert (body.taken, body.closed) == (0, True)


@pytest.mark.parametrize("length", ["10", "0", "-1", "1e9", "0x10", "²", "", "10, 10", "9" * 5000])
async def test_a_lying_or_senseless_length_does_not_lift_the_cap(length: str) -> None:
    body = CountingBody(FRAME * 256, times=1000)
    error = await failure(FakeHost(answer(body, headers={"content-length": length})), max_bytes=2048)
    assert_says(str(error), "more_than_2_048_bytes")
    assert body.taken == 3


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(5_000_000))
    assert len(bomb) < 6_000
    for packed in (bomb, gzip.compress(AUDIO)):
        host = FakeHost(answer(packed, headers={"content-encoding": "gzip", "content-type": "audio/mpeg"}))
        error = await failure(host, max_bytes=6_000)
        # It is refused as what it is when it is sent, not for what it would swell to.
        assert_says(str(error), "not_mpeg_audio_but", what="compressed with gzip")
        assert host.asked[0].headers["accept-encoding"] == "identity"


# What counts as audio ----------------------------------------------------------------------------------------------


async def test_mpeg_audio_is_passed_on_whatever_the_host_calls_it() -> None:
    assert await fetch(FakeHost(answer(headers={"content-type": "text/html"}))) == AUDIO


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100), "a WAV file"),
        (b"OggS\x00\x02" + bytes(20), "an Ogg file"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
    ],
)
async def test_another_file_is_refused_as_what_it_is_whatever_the_host_calls_it(body: bytes, what: str) -> None:
    error = await failure(FakeHost(answer(body, headers={"content-type": "audio/mpeg"})))
    assert isinstance(error, AudioRefused)
    assert_says(str(error), "not_mpeg_audio_but", what=what)


async def test_a_file_that_is_not_recognised_is_refused_too() -> None:
    assert_says(str(await failure(FakeHost(answer(b"%PDF-1.7")))), "not_mpeg_audio_so")


async def test_an_empty_file_may_be_ready_later() -> None:
    error = await failure(FakeHost(answer(b"", headers={"content-type": "audio/mpeg", "content-length": "0"})))
    assert isinstance(error, AudioUnavailable)
    assert "empty" in str(error)


# The connection ----------------------------------------------------------------------------------------------------


async def test_a_borrowed_transport_is_left_open() -> None:
    host = FakeHost()
    client = AudioClient(max_bytes=100_000, transport=host, resolve=FakeDns())
    await client.fetch(LINK)
    await client.aclose()
    assert not host.closed


async def test_a_client_that_fetched_nothing_closes_in_pause() -> None:
    await AudioClient(max_bytes=1000).aclose()


class ReceivedRequests:
    """What a real server saw: the names in the handshakes, and the requests."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.requests: list[bytes] = []

    def sni_names(self, _socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.names.append(name)

    async def answer(self, stream: TLSStream) -> None:
        """Give the recording to each request of a connection, and keep the connection open."""
        async with stream:
            pending = b""
            while True:
                try:
                    pending += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
                if pending.endswith(b"\r\n\r\n"):
                    self.requests.append(pending)
                    pending = b""
                    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(AUDIO) + AUDIO)


@asynccontextmanager
async def tls_server(
    folder: Path, *names: str, wants_certificate: bool = False
) -> AsyncGenerator[tuple[int, ReceivedRequests]]:
    """A real server on this machine with a certificate for these names: its port, and what it saw."""
    certificate_file, key_file = self_signed(folder, *names)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file)
    if wants_certificate:
        context.load_verify_locations(certificate_file)
        context.verify_mode = ssl.CERT_REQUIRED
    visits = ReceivedRequests()
    context.sni_callback = visits.sni_names
    socket = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = socket.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's attributes, not Django's SQL
    listener = TLSListener(socket, context, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(listener.serve, visits.answer))
        yield port, visits
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def own_client() -> AsyncGenerator[AudioClient]:
    """A client with its real transport; every name leads to this machine."""
    client = AudioClient(max_bytes=100_000, loopback=True, resolve=FakeDns(["127.0.0.1"]), jitter=without_delay)
    try:
        with anyio.fail_after(30):
            yield client
    finally:
        await client.aclose()


async def unavailable(client: AudioClient, url: str) -> None:
    with pytest.raises(AudioUnavailable) as caught:
        await client.fetch(url)
    assert_says(str(caught.value), "connection_to_the_recordings_host_failed")


async def test_a_real_connection_goes_to_the_address_while_the_certificate_is_checked_against_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, HOST) as (port, visits), own_client() as client:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert await client.fetch(f"https://{HOST}:{port}/1.mp3") == AUDIO
        assert visits.names == [HOST]
        (request,) = visits.requests
        assert request.startswith(b"GET /1.mp3 HTTP/1.1\r\n")
        assert f"host: {HOST}:{port}\r\n".encode() in request.lower()


async def test_a_certificate_for_another_name_is_refused_although_the_address_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, "other.example.com") as (port, visits), own_client() as client:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        await unavailable(client, f"https://{HOST}:{port}/1.mp3")
        assert visits.requests == []


async def test_certificates_that_cannot_be_read_are_named_by_their_variable_and_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/certificates.pem")
    async with own_client() as client:
        with pytest.raises(SettingsError, match="SSL_CERT_FILE") as caught:
            await client.fetch(LINK)
    assert "/no/such/certificates.pem" in str(caught.value)
    assert HOST not in str(caught.value)


async def test_a_certificate_that_no_one_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with tls_server(tmp_path, HOST) as (port, visits), own_client() as client:
        await unavailable(client, f"https://{HOST}:{port}/1.mp3")
        assert visits.requests == []


async def test_a_connection_made_for_one_name_does_not_serve_another_at_the_same_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, HOST) as (port, visits), own_client() as client:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert await client.fetch(f"https://{HOST}:{port}/1.mp3") == AUDIO
        await unavailable(client, f"https://other.example.com:{port}/1.mp3")
        assert await client.fetch(f"https://{HOST}:{port}/2.mp3") == AUDIO
        assert visits.names == [HOST, "other.example.com", HOST]
        assert len(visits.requests) == 2


async def test_a_host_that_wants_a_certificate_of_ours_does_not_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, HOST, wants_certificate=True) as (port, visits), own_client() as client:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        await unavailable(client, f"https://{HOST}:{port}/1.mp3")
        assert visits.requests == []


async def test_a_closed_client_opens_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tls_server(tmp_path, HOST) as (port, _), own_client() as client:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert await client.fetch(f"https://{HOST}:{port}/1.mp3") == AUDIO
        await client.aclose()
        assert await client.fetch(f"https://{HOST}:{port}/1.mp3") == AUDIO


async def test_a_port_where_no_one_listens_is_an_unavailable_recording(tmp_path: Path) -> None:
    async with tls_server(tmp_path, HOST) as (port, _):
        pass
    async with own_client() as client:
        await unavailable(client, f"https://{HOST}:{port}/1.mp3")
        await unavailable(client, f"https://{HOST}:0/1.mp3")


# A first look ---------------------------------------------------------------------------------------------------------


async def test_a_first_look_reads_no_more_than_the_beginning_of_whatever_it_is() -> None:
    body = CountingBody(b"x" * 700, times=1_000)
    host = FakeHost(answer(body, headers={"content-length": "999999999"}))
    client = AudioClient(max_bytes=1_000, transport=host, resolve=FakeDns())
    assert await client.first_bytes(LINK, 1_024, lambda: None) == b"x" * 1_024
    assert body.taken == 2
    assert body.closed


async def test_a_first_look_is_announced_before_each_request_and_can_be_forbidden() -> None:
    host = FakeHost(redirect("/elsewhere"), answer())
    client = AudioClient(max_bytes=1_000, transport=host, resolve=FakeDns())
    told: list[int] = []

    def asking() -> None:
        told.append(len(host.asked))
        if len(told) == 4:
            raise LinerError("no more")

    await client.first_bytes(LINK, 4, asking)
    assert told == [0, 1]
    host.asked.clear()
    with pytest.raises(LinerError, match="no more"):
        await client.first_bytes(LINK, 4, asking)
    assert len(host.asked) == 1


async def test_a_first_look_passes_the_same_guard() -> None:
    host = FakeHost()
    client = AudioClient(max_bytes=1_000, transport=host, resolve=FakeDns([METADATA]))
    with pytest.raises(AudioRefused):
        await client.first_bytes(LINK, 4, lambda: None)
    assert host.asked == []
