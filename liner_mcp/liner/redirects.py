"""Which redirects are followed, and the error for those that are not. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from liner_mcp.errors import WrongAddress
from liner_mcp.liner.decoding import contains_token, quote_message
from liner_mcp.urls import DEFAULT_PORTS, ascii_host, is_same_server, parse_url

MAX_LOCATION_CHARACTERS = 8_000  # RFC 9110, section 4.1: servers should support URLs of this length
HOST_CHARACTERS = 60  # of a host in an error: enough to recognise it
_HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def same_origin_target(origin: str, target: str, location: str) -> str | None:
    """The new target (path and query) of a redirect that stays on `origin`; None if it leaves it.

    `target` is the request that was redirected. Another host must never receive the token. Behind a proxy that
    terminates TLS, Liner may redirect to http:// on its own host: the new target is then requested over https.
    """
    there = _parse_location(location, f"{origin}{target}")
    if there is None or there.username is not None or not is_same_server(urlsplit(origin), there):
        return None
    # Exactly one slash: a target that begins with two would name a host.
    return f"/{there.path.lstrip('/')}" + (f"?{there.query}" if there.query else "")


def leads_away(origin: str, target: str, location: str, token: str) -> WrongAddress:
    """The error for a redirect that `same_origin_target` refuses."""
    ours = urlsplit(origin)
    there = _parse_location(location, f"{origin}{target}")
    if there is None or there.scheme not in DEFAULT_PORTS or not (host := ascii_host(there)):
        return _error("to something that is not a web address")
    if there.username is not None:
        return _error("to an address with a user name in it")
    if host != ascii_host(ours):
        name = _named(host, token)
        return _error(f"to another host{f' ({name})' if name else ''}", "; a login page means that a gateway answers")
    if there.scheme == "https" and ours.scheme == "http":
        return WrongAddress("LINER_API_HOST redirects to https on the same host. Write it with https:// in front.")
    return _error(f"to another port of its host{'' if there.port is None else f' ({there.port})'}")


def _parse_location(location: str, base: str) -> SplitResult | None:
    """The URL of a Location header; None if it cannot be requested."""
    if len(location) > MAX_LOCATION_CHARACTERS or not location.isprintable():
        return None
    return parse_url(location, base)


def _error(where: str, remark: str = "") -> WrongAddress:
    return WrongAddress(
        f"LINER_API_HOST redirects {where}, where the token is not sent. Set it to the API's own address{remark}."
    )


def _named(host: str, token: str) -> str:
    """A host that may be shown; empty for one that is long, unusual, or could hold a secret."""
    try:
        return "" if "%" in host else str(ip_address(host))  # an IPv6 zone can be any text
    except ValueError:
        plain = len(host) <= HOST_CHARACTERS and _HOST_NAME.fullmatch(host)
        # `quote_message` changes the host if it looks like a phone.
        return host if plain and quote_message(host) == f'"{host}"' and not contains_token(host, token.lower()) else ""
