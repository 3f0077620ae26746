"""Hosts, origins and web addresses: the one place that takes them apart and compares them. Pure.

Some are settings, some come from Liner or from an issuer of tokens. A refusal is the end of a sentence and never
repeats the text, which may hold a password.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}

_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")  # letters of any script: such names exist too


def parse_url(text: str, base: str = "") -> SplitResult | None:
    """The parts of an address; None where the text names no host or has no valid port. `base` completes a relative one.

    Reading `port` of the result raises nothing.
    """
    try:
        url = urlsplit(urljoin(base, text))
        _ = url.port
    except ValueError:
        return None
    return url if url.hostname else None


def port_of(url: SplitResult) -> int | None:
    """The port of an address, written or implied by its scheme."""
    return DEFAULT_PORTS.get(url.scheme) if url.port is None else url.port


def ascii_host(url: SplitResult) -> str:
    """The host as DNS has it, so that all spellings of one name are equal; empty where it can be no name."""
    try:
        return (url.hostname or "").removesuffix(".").encode("idna").decode()
    except UnicodeError:  # an empty or a long label
        return ""


def bracketed(host: str) -> str:
    """A host as it stands in an address: IPv6 has brackets."""
    return f"[{host}]" if ":" in host else host


def is_same_server(ours: SplitResult, there: SplitResult) -> bool:
    """Whether both addresses lead to one server. A redirect from https may name http: a proxy that ends TLS does so."""
    if there.scheme not in DEFAULT_PORTS or ascii_host(there) != ascii_host(ours):
        return False
    ports = port_of(there), port_of(ours)
    if there.scheme == ours.scheme:
        return ports[0] == ports[1]
    return ours.scheme == "https" and (ports[0] == ports[1] or ports == (80, 443))


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def parse_liner_origin(host: str) -> str:
    """`https://host[:port]` from what a person writes; plain http only for loopback.

    Raises: ValueError with the reason.
    """
    text = host.strip()
    url = _checked(text if "://" in text else f"https://{text}", "https://api.example.com")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError("it must be a host only, without a path: https://api.example.com")
    _refuse_plain_http(url)
    return f"{url.scheme}://{_host_and_port(url.hostname or '', url.port)}"


def https_address(text: str, example: str) -> str:
    """An address as it was written, because issuers and audiences are compared letter by letter.

    Raises: ValueError with the reason.
    """
    if not text.isascii() or not text.isprintable() or set(text) & set('"\\<>'):
        raise ValueError(f"it is not an address such as {example}")
    url = _checked(text, example)
    if "?" in text or "#" in text:
        raise ValueError("it must not hold a query or a fragment")
    _refuse_plain_http(url)
    return text


def allowed_host(text: str) -> str:
    """A host as the Host header has it: a name or an address, with a port or without. Raises: ValueError."""
    url = parse_url(f"//{text}")
    if url is None or url.netloc != text or "@" in text or not is_host_name(url):
        raise ValueError("it takes host names as clients write them, such as calls.example.com or 10.0.0.5:8080")
    return _host_and_port((url.hostname or "").removesuffix("."), url.port)


def allowed_origin(text: str) -> str:
    """An origin as browsers send it. Raises: ValueError."""
    scheme, _, host = text.lower().rstrip("/").partition("://")
    try:
        return f"{scheme}://{allowed_host(host).removesuffix(f':{DEFAULT_PORTS[scheme]}')}"
    except (KeyError, ValueError):
        raise ValueError("it takes origins of web pages, such as https://app.example.com") from None


def _checked(text: str, example: str) -> SplitResult:
    url = parse_url(text)
    if url is None or url.scheme not in DEFAULT_PORTS or not is_host_name(url) or any(c.isspace() for c in text):
        raise ValueError(f"it is not an address such as {example}")
    if url.username is not None:
        raise ValueError("it must not hold a user name or password")
    return url


def _refuse_plain_http(url: SplitResult) -> None:
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ValueError("it must begin with https:// (plain http is for loopback only)")


def _host_and_port(host: str, port: int | None) -> str:
    return bracketed(host) + ("" if port is None else f":{port}")


def is_host_name(url: SplitResult) -> bool:
    name = url.hostname or ""
    if ":" in name:
        return True  # IPv6 in brackets, checked where the address was taken apart
    return _HOST_NAME.fullmatch(name) is not None and (name.isascii() or bool(ascii_host(url)))
