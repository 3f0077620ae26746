"""Finds the proxy for Liner in the environment, and says why a connection failed. No I/O.

httpx can read the environment itself, but fails if NO_PROXY has an entry that is no URL (`fe80::/10`, `[::1]`).
"""

from __future__ import annotations

import os
import re
import ssl
import urllib.request
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from socket import gaierror
from urllib.parse import urlsplit

from liner_mcp.errors import AccessRefused, LinerMcpError, SettingsError, Unreachable
from liner_mcp.urls import parse_url

# OpenSSL's reasons for an answer that is not TLS, such as plain HTTP. They differ between its versions.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")


@dataclass(frozen=True, slots=True)
class EnvironmentProxy:
    """A proxy and the variable that names it. The URL may hold a password, so it is not in the repr."""

    variable: str
    url: str = field(repr=False)

    def unusable(self) -> SettingsError:
        return SettingsError(
            f"The proxy in {self.variable} cannot be used. Write it as http://host:port or https://host:port, or take "
            "it out."
        )


def proxy_for(origin: str) -> EnvironmentProxy | None:
    """The environment's proxy for `origin`, or None.

    Raises: SettingsError when the URL of the proxy names no host.
    """
    ours = urlsplit(origin)
    if ours.scheme == "http":  # plain http is allowed for loopback only, which needs no proxy
        return None
    found = urllib.request.getproxies()
    kind = next((kind for kind in ("https", "all") if found.get(kind, "").strip()), None)
    if kind is None or _is_exempt(ours.hostname or "", ours.port or 443, found.get("no", "")):
        return None
    url = found[kind].strip()
    proxy = EnvironmentProxy(_variable(kind), url if "://" in url else f"http://{url}")
    parts = parse_url(proxy.url)
    if parts is None or parts.port == 0:
        raise proxy.unusable()
    return proxy


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY holds the host, by name, domain, address or network. Other entries are ignored.

    Without NO_PROXY, the exceptions in the settings of Windows and macOS count.
    """
    for entry in no_proxy.lower().split(","):
        text = entry.strip()
        if text == "*":
            return True
        scheme, mark, rest = text.partition("://")
        if mark and scheme not in ("https", "all"):
            continue
        name = (rest.partition("/")[0] if mark else text).removeprefix("*").lstrip(".")
        spellings = (host, f"{host}:{port}", f"[{host}]:{port}")
        if name and (name in spellings or any(one.endswith(f".{name}") for one in spellings) or _is_in(host, name)):
            return True
    return not no_proxy and bool(urllib.request.proxy_bypass(f"{host}:{port}"))


def _is_in(host: str, network: str) -> bool:
    """Whether `host` is an IP address in `network`, which may be one address, with or without brackets."""
    try:
        return ip_address(host) in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


def _variable(kind: str) -> str:
    """The variable that names the proxy. If both spellings are set, the lower-case one counts."""
    names = sorted((name for name, value in os.environ.items() if value.strip()), reverse=True)
    return next((name for name in names if name.lower() == f"{kind}_proxy"), "the system's settings")


def connection_error(error: BaseException, proxy: EnvironmentProxy | None = None) -> Unreachable:
    """The error that says which step failed (DNS, TLS, or the connection), and for which host."""
    where = "LINER_API_HOST" if proxy is None else proxy.variable
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, gaierror):
            what = "host" if proxy is None else "proxy"
            return Unreachable(f"The {what} in {where} cannot be found (DNS). Check its spelling and the network.")
        if isinstance(cause, (ssl.SSLError, ConnectionResetError)):
            return _tls_error(cause, proxy)
        cause = cause.__cause__ or cause.__context__
    if proxy is not None:
        return Unreachable(
            f"The proxy in {where} cannot be reached: the connection is refused or has no route. Check {where}, or "
            "name Liner's host in NO_PROXY."
        )
    return Unreachable("Liner cannot be reached: the connection is refused or has no route. Check LINER_API_HOST.")


def _tls_error(error: OSError, proxy: EnvironmentProxy | None) -> Unreachable:
    """Why TLS failed. With an https:// proxy there are two handshakes, and either may have failed."""
    who, settings = "The host in LINER_API_HOST", "LINER_API_HOST"
    if proxy is not None:
        settings = f"LINER_API_HOST and in {proxy.variable}"
        if proxy.url.lower().startswith("https://"):
            who = f"The proxy in {proxy.variable}, or the host in LINER_API_HOST behind it,"
        else:
            who = f"The host in LINER_API_HOST, reached through the proxy in {proxy.variable},"
    check = f"Check the scheme and the port in {settings}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(f"{who} has {_certificate_fault(error)}", transient=False)
    if isinstance(error, (ssl.SSLEOFError, ConnectionResetError)):  # also during a restart, so a retry may help
        return Unreachable(f"{who} closed the connection during the TLS handshake. Ask again. {check} if this repeats.")
    if getattr(error, "reason", None) in _NO_TLS:
        return Unreachable(f"{who} does not speak TLS on that port. {check}.", transient=False)
    return Unreachable(f"{who} could not agree on TLS with this machine. {check}.", transient=False)


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, and what to check. The numbers are OpenSSL's X509_V_ERR_ codes."""
    match getattr(error, "verify_code", None):
        case 9:
            return "a TLS certificate that is not valid yet. Check this machine's clock."
        case 10:
            return "a TLS certificate that has expired. Check this machine's clock, then the certificate of that host."
        case 62 | 64:
            return (
                "a TLS certificate for another host name. Check the spelling of the host, and whether a firewall or a "
                "proxy answers in its place."
            )
        case _:
            given = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
            remedy = (
                f"Only the authorities in {given[0]} are trusted: add the missing one there."
                if given
                else "Name the authority's PEM file in SSL_CERT_FILE, or check the host."
            )
            return (
                "no trusted TLS certificate: it is self-signed, or this machine does not know its authority, such as "
                f"that of a company proxy. {remedy}"
            )


def broken_connection(proxy: EnvironmentProxy | None, *, answered: bool) -> Unreachable:
    """The error for a connection that broke. A port with another protocol looks the same."""
    if answered:
        return Unreachable("The connection to Liner broke before the answer was complete. Ask again.")
    if proxy is not None:
        return Unreachable(
            f"The connection to Liner through the proxy in {proxy.variable} broke before an answer came. Ask again; if "
            f"this repeats, check {proxy.variable}: the program there may not be a proxy."
        )
    return Unreachable(
        "The connection to Liner broke before an answer came. Ask again; if this repeats, the program at "
        "LINER_API_HOST may not speak HTTP: check its scheme and its port."
    )


def timed_out(limit: str, proxy: EnvironmentProxy | None) -> Unreachable:
    """The error for a missing answer. `limit` is a phrase such as "within 15 s"."""
    then = "" if proxy is None else f"; if this repeats, check the proxy in {proxy.variable}"
    return Unreachable(f"Liner did not answer {limit}. Ask again, or for less at once{then}.")


def refused_by_proxy(answer: str, proxy: EnvironmentProxy | None) -> LinerMcpError:
    """The error for a proxy that refused to connect. `answer` begins with the HTTP status, if there is one."""
    where = "The proxy" if proxy is None else f"The proxy in {proxy.variable}"
    status = re.match(r"[1-5][0-9]{2}\b", answer)
    code = "" if status is None else f" (HTTP {status[0]})"
    if status is not None and status[0] == "407":
        return SettingsError(
            f"{where} needs a user name and a password{code}. Write them into its address: "
            "http://name:password@host:port."
        )
    if status is not None and status[0] < "500":
        return AccessRefused(
            f"{where} refuses to connect to Liner{code}. Allow the host in LINER_API_HOST there, "
            "or name it in NO_PROXY."
        )
    return Unreachable(f"{where} could not connect to Liner{code}. Ask again, and look at the proxy.")
