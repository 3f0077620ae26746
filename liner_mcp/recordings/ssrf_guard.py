"""SSRF guard: which network addresses a link may lead to. Pure.

The link of a recording is foreign text. Every address of its host must be public, or the link could read from the
server's own network.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from liner_mcp.urls import DEFAULT_PORTS, ascii_host, bracketed, parse_url, port_of

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: the last 32 bits are an IPv4 address.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The IPv6 addresses of the public internet (RFC 4291, section 2.4). The old site-local addresses, local NAT64 and
# deprecated forms of IPv4 addresses are outside; `is_global` is true for some of them.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Internal or unused addresses that `is_global` calls public in some versions of Python.
_NOT_PUBLIC = (
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT, RFC 6598; metadata service of some clouds
    ipaddress.ip_network("168.63.129.16/32"),  # the wire server of Azure, which gives out machine credentials
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890: partly answered by the nearest router; Oracle's metadata service
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ipaddress.ip_network("2001::/23"),  # RFC 2928: partly answered by the nearest router; Teredo, which contains IPv4
    ipaddress.ip_network("2002::/16"),  # 6to4, RFC 3056, which contains IPv4
    ipaddress.ip_network("3fff::/20"),  # documentation, RFC 9637
)
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The characters of a host after IDNA. There is no percent sign, so an IPv6 address cannot have a zone.
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:")


@dataclass(frozen=True, slots=True)
class FileLink:
    """The parts of a link: `host` and `port` to resolve, `target` to request.

    The target may be all that is needed to download the recording, so the repr does not show it.
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
    """The parts of a link that may be requested, or None.

    Only https without a user name is allowed. `loopback` also allows plain http; `may_connect` checks the addresses.
    Characters of the path and the query that should be percent-encoded, such as a space, are encoded.
    """
    text = url.strip()
    parts = parse_url(text)
    if parts is None or parts.username is not None or any(sign < " " or sign in "\\\x7f" for sign in text):
        return None
    host, port = ascii_host(parts), port_of(parts)
    if not host or not _HOST_CHARACTERS.issuperset(host) or port is None:
        return None
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        return None
    try:
        target = _encoded(parts.path or "/") + (f"?{_encoded(parts.query)}" if parts.query else "")
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return FileLink(parts.scheme, host, port, target)


def _encoded(text: str) -> str:
    """A path or a query with percent-encoding where RFC 3986 requires it. What is encoded already stays as it is."""
    return quote(_LONE_PERCENT.sub("%25", text), safe="%/?:@!$&'()*+,;=[]")


def may_connect(address: str, link: FileLink, *, loopback: bool) -> bool:
    """Whether a connection to this resolved address is allowed for this link."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if "%" in address:  # a zone names an interface of this machine, and cannot be written in a URL
        return False
    if loopback and found.is_loopback:
        return True
    return link.scheme == "https" and _is_public(_effective_address(found))


def _effective_address(address: IPAddress) -> IPAddress:
    """The IPv4 address in a mapped or NAT64 address; otherwise the address itself."""
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
