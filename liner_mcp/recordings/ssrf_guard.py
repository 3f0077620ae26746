"""SSRF guard: which network addresses a stored link may lead to. Pure.

The address of a recording is text that somebody else put into an answer. Before anything is fetched from it, every
address its host resolves to has to be a public one: otherwise the link could reach into the server's own network.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from liner_mcp.urls import DEFAULT_PORTS, ascii_host, bracketed, parse_url, port_of

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: an IPv4 address travels in the last 32 bits of these.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All of IPv6 that the internet routes (RFC 4291, section 2.4). Outside it lie the old site-local addresses, NAT64 of
# local use and IPv4 addresses in abolished spellings, some of which `is_global` lets pass.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Leading inside, or nowhere, although `is_global` of one Python or another calls them public.
_NOT_PUBLIC = (
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT, RFC 6598; some clouds keep their metadata here
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's wire server, which hands out machine credentials
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890: the nearest router answers at some; Oracle's metadata too
    ipaddress.ip_network("192.88.99.0/24"),  # relays into 6to4, RFC 7526
    ipaddress.ip_network("2001::/23"),  # RFC 2928: the nearest router again; Teredo, which wraps IPv4
    ipaddress.ip_network("2002::/16"),  # 6to4, RFC 3056, which wraps IPv4 too
    ipaddress.ip_network("3fff::/20"),  # documentation, RFC 9637
)
# What a name or an address is written in once IDNA is done; no percent sign, hence no zone of an IPv6 address.
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:")


@dataclass(frozen=True, slots=True)
class FileLink:
    """A link that may be asked for, taken apart: `host` and `port` to resolve, `target` to request.

    Whoever knows the target can hear the recording, so no repr shows it.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def authority(self) -> str:
        """The Host header."""
        return bracketed(self.host) + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")


def parse_file_link(url: str, *, loopback: bool) -> FileLink | None:
    """The parts of a link that may be fetched, or None.

    Only https without a user name; with `loopback`, plain http too (the addresses still have to be loopback then).
    """
    text = url.strip()
    parts = parse_url(text)
    if parts is None or parts.username is not None or any(one <= " " or one == "\\" for one in text):
        return None
    host, port = ascii_host(parts), port_of(parts)
    if not host or not _HOST_CHARACTERS.issuperset(host) or port is None:
        return None
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        return None
    return FileLink(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def may_connect(address: str, link: FileLink, *, loopback: bool) -> bool:
    """Whether a connection to this resolved address is allowed for this link."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if "%" in address:  # a zone: it names an interface of this machine, and no URL can be made of it
        return False
    if loopback and found.is_loopback:
        return True
    return link.scheme == "https" and _is_public(_effective_address(found))


def _effective_address(address: IPAddress) -> IPAddress:
    """The address itself, or the IPv4 address that an IPv6 one is another spelling of, or the way to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: IPAddress) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
