"""Which network addresses a stored link may lead to. Pure.

The address of a recording is text that somebody else put into an answer. Before anything is fetched from it, every
address its host resolves to has to be a public one: otherwise the link could reach into the server's own network.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: an IPv4 address travels in the last 32 bits of these.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Reachable only inside a provider's network although the registries call them public or say nothing.
_INSIDE = (
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's wire server, which hands out machine credentials
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 of local use, RFC 8215
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT, RFC 6598; some clouds keep their metadata here
)


@dataclass(frozen=True, slots=True)
class FileLink:
    """A link that may be asked for, taken apart: `host` and `port` to resolve, `target` to request."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"https": 443, "http": 80}[self.scheme] else f"{name}:{self.port}"


def file_link(url: str, *, loopback: bool) -> FileLink | None:
    """The parts of a link that may be fetched, or None.

    Only https without a user name; with `loopback`, plain http too (the addresses still have to be loopback then).
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if not host or parts.username is not None or parts.password is not None:
        return None
    if any(character <= " " or character == "\\" for character in url.strip()):
        return None
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return None
    if parts.scheme == "https" or (loopback and parts.scheme == "http"):
        default = 443 if parts.scheme == "https" else 80
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return FileLink(parts.scheme, host, default if port is None else port, target)
    return None


def may_connect(address: str, link: FileLink, *, loopback: bool) -> bool:
    """Whether a connection to this resolved address is allowed for this link."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if loopback and found.is_loopback:
        return True
    return link.scheme == "https" and all(_is_public(inner) for inner in _meant(found))


def _meant(address: IPAddress) -> list[IPAddress]:
    """The address and those hidden inside it: an IPv6 address can be another spelling of, or a way to, an IPv4 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner: list[IPAddress] = []
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner += address.teredo
    if int(address) >> 32 == 0:  # ::a.b.c.d, the abolished "compatible" form
        inner.append(ipaddress.IPv4Address(int(address)))
    return [address, *inner]


def _is_public(address: IPAddress) -> bool:
    if any(address in network for network in _INSIDE if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
