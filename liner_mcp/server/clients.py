"""Creates the clients of Liner's API and of recordings from the settings.

The only module that chooses between the network and the fake Liner inside this process.
"""

from __future__ import annotations

import logging

import httpx

from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.request_metrics import RequestObserver
from liner_mcp.liner.transport import Transport
from liner_mcp.recordings.download import AudioClient
from liner_mcp.settings import Settings


def open_clients(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    shared: bool = False,
    observer: RequestObserver | None = None,
) -> tuple[LinerClient, AudioClient]:
    """Clients for these settings. Neither connects before its first request. `transport` replaces the network for both.

    `shared`: several people wait for these clients, so requests to a Liner that is down are not retried for each of
    them. `observer` watches the requests to Liner's API.

    Raises: SettingsError when host or token is missing.
    """
    connections, audio = open_connections(settings, transport=transport, shared=shared, observer=observer)
    return LinerClient(connections), audio


def open_connections(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    shared: bool = False,
    observer: RequestObserver | None = None,
) -> tuple[Transport, AudioClient]:
    """As `open_clients`, without the client of the API: for examining Liner's answers as they were sent."""
    # The HTTP library logs URLs, which hold ids, and at DEBUG the headers of answers, which may hold anything.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A retry that succeeded is not worth a log line; the answer reports a failure.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    origin, token = settings.host_and_token()
    if settings.demo and transport is None:
        transport = demo_transport()
    connections = Transport(
        origin,
        token,
        concurrency=settings.concurrency,
        requests_per_second=settings.requests_per_second,
        transport=transport,
        use_circuit_breaker=shared,
        observer=observer,
        pace_url=None if settings.pace_url is None else settings.pace_url.get_secret_value(),
        replicas=settings.replicas,
    )
    # Plain http is allowed for a loopback Liner only, whose files are on loopback too.
    loopback = origin.startswith("http://")
    return connections, AudioClient(max_bytes=settings.max_audio_bytes, loopback=loopback, transport=transport)


def demo_transport() -> httpx.AsyncBaseTransport:
    """The demo Liner inside this process, without a port or a network."""
    from liner_mcp.demo import DemoLiner  # only the demo needs its data

    return httpx.ASGITransport(app=DemoLiner())
