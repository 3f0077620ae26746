"""From settings to clients: Liner's API, and the files that its records link to.

The one place that knows both the network and the fake Liner inside this process.
"""

from __future__ import annotations

import logging

import httpx

from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.request_metrics import RequestObserver
from liner_mcp.liner.transport import FULL_JITTER, Transport
from liner_mcp.recordings.download import AudioClient
from liner_mcp.settings import Settings


def open_clients(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    shared: bool = False,
    observer: RequestObserver | None = None,
) -> tuple[LinerClient, AudioClient]:
    """Clients for these settings; neither connects before it is asked. `transport` replaces the network for both.

    `shared`: several people wait for these clients, so a Liner that is down is not tried anew for each of them.
    `observer` watches the requests to Liner's API.

    Raises: SettingsError when host or token is missing.
    """
    origin, token = settings.host_and_token()
    transport = _prepare(settings, transport)
    liner = LinerClient(
        origin,
        token,
        concurrency=settings.concurrency,
        requests_per_second=settings.requests_per_second,
        transport=transport,
        use_circuit_breaker=shared,
        observer=observer,
    )
    return liner, _open_audio(settings, origin, transport)


def open_connections(
    settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[Transport, AudioClient]:
    """The same as `open_clients` without the client of the API: to examine Liner's answers as they were sent."""
    origin, token = settings.host_and_token()
    transport = _prepare(settings, transport)
    liner_transport = Transport(
        origin,
        token,
        concurrency=settings.concurrency,
        requests_per_second=settings.requests_per_second,
        transport=transport,
        jitter=FULL_JITTER,
        use_circuit_breaker=False,
    )
    return liner_transport, _open_audio(settings, origin, transport)


def _prepare(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncBaseTransport | None:
    """Silence the HTTP libraries, and choose what replaces the network, if anything does."""
    # The HTTP library logs URLs, which hold ids, and at DEBUG the headers of answers, which may hold anything.
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # A retry that helped is nobody's concern; one that did not is reported in the answer.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    return _demo_transport() if settings.demo and transport is None else transport


def _open_audio(settings: Settings, origin: str, transport: httpx.AsyncBaseTransport | None) -> AudioClient:
    # Plain http is allowed for a loopback Liner only, whose files then are on loopback too.
    return AudioClient(max_bytes=settings.max_audio_bytes, loopback=origin.startswith("http://"), transport=transport)


def _demo_transport() -> httpx.AsyncBaseTransport:
    """The fake Liner inside this process: no port, no network."""
    from liner_mcp.demo import DemoLiner  # only the demo needs its data

    return httpx.ASGITransport(app=DemoLiner())
