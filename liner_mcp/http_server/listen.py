"""Where to listen, and who may be let in there: an address that others can reach needs authentication and a name.

The listening socket is made here, so that several workers can share it and a bad address is reported before they start.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket

from liner_mcp.errors import SettingsError, SetupError
from liner_mcp.files import reason
from liner_mcp.settings import Settings
from liner_mcp.urls import is_loopback

BACKLOG = 1_024  # connections that wait while every worker is busy

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 address stands in brackets, port 0 takes a free one.

    A bare port or `:8080` is refused: some programs mean every network by it and others this machine alone.
    Raises: SetupError.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65_535:
        raise SetupError(
            "--http needs a host and a port, such as 127.0.0.1:8080 for this machine alone or [::1]:8080; "
            f"it is {text[:60]!r}."
        )
    return found["six"] or found["host"], int(found["port"])


def has_authentication(settings: Settings) -> bool:
    """Whether callers must say who they are."""
    return settings.mcp_tokens_file is not None or settings.mcp_oauth_issuer is not None


def open_listener(address: str, settings: Settings) -> socket.socket:
    """The listening socket of `--http`.

    Raises: SetupError when the address cannot be used, SettingsError when others can reach it and nothing guards it.
    """
    host, port = parse_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise SetupError(f"--http: the host {host[:60]} cannot be found. Use an address of this machine.") from None
    # IPv4 first: a client that tries localhost over IPv6 in vain goes on with IPv4, and not every one the other way.
    family, _, _, _, place = min(found, key=lambda one: one[0] != socket.AF_INET)
    if not is_loopback(str(place[0]).partition("%")[0]):
        _require_protection(host, settings)
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP, and what is accepted
    # says what its listener said. Without it each answer waits 40 ms for the other side's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere this option lets two programs take one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SetupError(f"--http: {address} cannot be listened on: {reason(error)}. Choose another port.") from None
    listener.setblocking(False)
    return listener


def endpoint_url(listener: socket.socket, settings: Settings) -> str:
    """The address of the endpoint, as a client on this machine writes it."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        shown = (settings.mcp_allowed_hosts or ("localhost",))[0].partition(":")[0]
    return f"http://{shown}:{port}{settings.mcp_path_prefix or ''}/mcp"


def _require_protection(host: str, settings: Settings) -> None:
    missing: list[str] = []
    if not has_authentication(settings):
        missing.append("LINER_MCP_TOKENS_FILE or LINER_MCP_OAUTH_ISSUER (who may ask)")
    if not settings.mcp_allowed_hosts:
        missing.append("LINER_MCP_ALLOWED_HOSTS (the names under which it is reached)")
    if missing:
        raise SettingsError(
            f"--http: {host} can be reached from other machines, so set {' and '.join(missing)} first, "
            "or listen on 127.0.0.1."
        )
