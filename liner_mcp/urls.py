"""Parses and compares hosts, origins and URLs, which come from settings, Liner, and issuers of tokens. Pure.

The message of a ValueError is the end of a sentence. It does not quote the input, which may hold a password.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}

_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")  # letters of any script, for internationalized names


def parse_url(text: str, base: str = "") -> SplitResult | None:
    """The parts of a URL; None if it names no host or its port is invalid. `base` completes a relative URL.

    Reading `port` of the result does not raise.
    """
    try:
        url = urlsplit(urljoin(base, text))
        _ = url.port
    except ValueError:
        return None
    return url if url.hostname else None


def port_of(url: SplitResult) -> int | None:
    """The port of a URL, or the default port of its scheme."""
    return DEFAULT_PORTS.get(url.scheme) if url.port is None else url.port


def ascii_host(url: SplitResult) -> str:
    """The host in the form of DNS, so that all spellings of a name are equal; empty if it is no valid name."""
    try:
        return (url.hostname or "").removesuffix(".").encode("idna").decode()
    except UnicodeError:  # a label is empty or too long
        return ""


def bracketed(host: str) -> str:
    """A host as written in a URL: an IPv6 address has brackets."""
    return f"[{host}]" if ":" in host else host


def is_same_server(ours: SplitResult, there: SplitResult) -> bool:
    """Whether both URLs lead to one server. Behind a proxy that terminates TLS, https may redirect to http."""
    if there.scheme not in DEFAULT_PORTS or ascii_host(there) != ascii_host(ours):
        return False
    ports = port_of(there), port_of(ours)
    if there.scheme == ours.scheme:
        return ports[0] == ports[1]
    return ours.scheme == "https" and (ports[0] == ports[1] or ports == (80, 443))


def is_loopback(host: str) -> bool:
    """Whether `host` is certainly this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def parse_liner_origin(host: str) -> str:
    """`https://host[:port]` from user input; plain http only for loopback. Raises: ValueError with the reason."""
    text = host.strip()
    url = _checked(text if "://" in text else f"https://{text}", "https://api.example.com")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError("it must be a host only, without a path: https://api.example.com")
    _refuse_plain_http(url)
    return f"{url.scheme}://{_host_and_port(url.hostname or '', url.port)}"


def https_address(text: str, example: str) -> str:
    """A URL, unchanged, because issuers and audiences are compared letter by letter. Raises: ValueError."""
    if not text.isascii() or not text.isprintable() or set(text) & set('"\\<>'):
        raise ValueError(f"it is not an address such as {example}")
    url = _checked(text, example)
    if "?" in text or "#" in text:
        raise ValueError("it must not hold a query or a fragment")
    _refuse_plain_http(url)
    return text


def allowed_host(text: str) -> str:
    """A host as in the Host header: a name or an address, with or without a port. Raises: ValueError."""
    url = parse_url(f"//{text}")
    if url is None or url.netloc != text or "@" in text or not is_host_name(url):
        raise ValueError("it takes host names as clients write them, such as calls.example.com or 10.0.0.5:8080")
    return _host_and_port((url.hostname or "").removesuffix("."), url.port)


def allowed_origin(text: str) -> str:
    """An origin as in the Origin header. Raises: ValueError."""
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
        return True  # an IPv6 address in brackets, checked by `urlsplit`
    return _HOST_NAME.fullmatch(name) is not None and (name.isascii() or bool(ascii_host(url)))
