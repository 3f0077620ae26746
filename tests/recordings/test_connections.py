"""Downloads through a proxy of the environment, with real sockets: the proxy gets a checked address and no name."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.abc
import pytest
from anyio.streams.tls import TLSListener

from liner_mcp.errors import AudioRefused, AudioUnavailable, SettingsError
from liner_mcp.recordings.download import AudioClient
from tests.recordings.test_download import (
    ALSO_PUBLIC,
    AUDIO,
    HOST,
    LINK,
    METADATA,
    PUBLIC,
    FakeDns,
    tls_server,
    without_delay,
)
from tests.support.certificates import self_signed
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    self_signed(tmp_path, HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))


@dataclass
class Proxy:
    """A real proxy for CONNECT that leads every allowed address to one server on this machine."""

    target_port: int
    refused: dict[str, int] = field(default_factory=dict[str, int])  # address -> HTTP status
    port: int = 0
    heads: list[str] = field(default_factory=list[str])

    @property
    def targets(self) -> list[str]:
        return [head.split()[1] for head in self.heads]

    async def serve(self, client: anyio.abc.ByteStream) -> None:
        async with client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await client.receive(1)
            self.heads.append(head.decode())
            status = self.refused.get(self.targets[-1].rpartition(":")[0], 200)
            await client.send(b"HTTP/1.1 %d Status\r\n\r\n" % status)
            if status != 200:
                return
            async with (
                await anyio.connect_tcp("127.0.0.1", self.target_port) as server,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(self._copy, server, client)
                await self._copy(client, server)
                tasks.cancel_scope.cancel()

    async def _copy(self, source: anyio.abc.ByteStream, target: anyio.abc.ByteStream) -> None:
        try:
            async for piece in source:
                await target.send(piece)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return


@asynccontextmanager
async def serving(proxy: Proxy, tls: ssl.SSLContext | None = None) -> AsyncGenerator[None]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's attributes, not Django's SQL
    served = listener if tls is None else TLSListener(listener, tls, standard_compatible=False)
    async with served, anyio.create_task_group() as tasks:
        tasks.start_soon(served.serve, proxy.serve)
        yield
        tasks.cancel_scope.cancel()


async def fetch(url: str = LINK, addresses: list[str] | None = None) -> bytes:
    client = AudioClient(max_bytes=100_000, resolve=FakeDns(addresses or [PUBLIC]), jitter=without_delay)
    try:
        with anyio.fail_after(30):
            return await client.fetch(url)
    finally:
        await client.aclose()


async def test_a_proxy_gets_the_checked_address_and_the_host_is_identified_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, HOST) as (port, visits):
        proxy = Proxy(port)
        async with serving(proxy):
            monkeypatch.setenv("HTTPS_PROXY", f"http://anna:pass%20word@127.0.0.1:{proxy.port}")
            assert await fetch() == AUDIO
    assert visits.names == [HOST]
    assert b"host: records.example.com\r\n" in visits.requests[0].lower()
    (head,) = proxy.heads
    assert proxy.targets == [f"{PUBLIC}:443"]
    assert HOST not in head
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'anna:pass word').decode()}" in head
    assert b"proxy-authorization" not in visits.requests[0].lower()


async def test_a_proxy_may_be_reached_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tls_server(tmp_path, HOST, "localhost") as (port, visits):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        proxy = Proxy(port)
        async with serving(proxy, tls):
            monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy.port}")
            assert await fetch() == AUDIO
    assert (visits.names, proxy.targets) == ([HOST], [f"{PUBLIC}:443"])


async def test_a_certificate_for_another_name_is_refused_through_a_proxy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, "other.example.com") as (port, visits):
        proxy = Proxy(port)
        async with serving(proxy):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            with pytest.raises(AudioUnavailable):
                await fetch()
    assert visits.requests == []
    assert len(proxy.heads) == 1  # a wrong certificate is not tried again


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", METADATA, "fd00:ec2::254"])
async def test_a_proxy_is_no_way_into_a_private_network(inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(1)
    async with serving(proxy):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        for addresses in ([inside], [PUBLIC, inside]):
            with pytest.raises(AudioRefused, match="private network"):
                await fetch(addresses=addresses)
    assert proxy.heads == []


async def test_the_loopback_of_this_machine_is_not_requested_from_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(1)
    async with tls_server(tmp_path, HOST) as (port, _), serving(proxy):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        client = AudioClient(max_bytes=100_000, loopback=True, resolve=FakeDns(["127.0.0.1"]))
        assert await client.fetch(f"https://{HOST}:{port}/1.mp3") == AUDIO
        await client.aclose()
    assert proxy.heads == []


async def test_a_host_in_no_proxy_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(1)
    async with serving(proxy):
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "fe80::/10, .example.com")
        with pytest.raises(AudioUnavailable) as caught:  # nothing listens on port 0
            await fetch(f"https://{HOST}:0/1.mp3")
    assert proxy.heads == []
    assert "ALL_PROXY" not in str(caught.value)


async def test_an_address_that_the_proxy_cannot_reach_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, HOST) as (port, _):
        proxy = Proxy(port, refused={PUBLIC: 502})
        async with serving(proxy):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert await fetch(addresses=[PUBLIC, ALSO_PUBLIC]) == AUDIO
    assert proxy.targets == [f"{PUBLIC}:443", f"{ALSO_PUBLIC}:443"]


async def test_a_proxy_that_refuses_is_named_by_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(1, refused={PUBLIC: 403})
    async with serving(proxy):
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:secret@127.0.0.1:{proxy.port}")
        with pytest.raises(AudioUnavailable) as caught:
            await fetch()
    assert_says(str(caught.value), "connection_to_the_recordings_host_failed_through", variable="HTTPS_PROXY")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "http://", "socks9://127.0.0.1:1"])
async def test_an_unusable_proxy_is_named_by_its_variable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SettingsError, match="HTTPS_PROXY"):
        await fetch()
