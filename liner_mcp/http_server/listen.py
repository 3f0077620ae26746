"""The listening socket of `--http`. An address that other machines can reach needs authentication and allowed hosts.

The socket is created before the workers, so that they share it and a bad address is reported once.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket

from liner_mcp.errors import SettingsError, SetupError, UsageError
from liner_mcp.files import reason
from liner_mcp.http_server import MCP_PATH
from liner_mcp.settings import Settings
from liner_mcp.urls import bracketed, is_loopback

BACKLOG = 1_024  # connections that wait while all workers are busy

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. An IPv6 address has brackets; port 0 takes a free port.

    A bare port or `:8080` is refused: for some programs it means all networks, for others only this machine.
    Raises: UsageError.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65_535:
        raise UsageError(
            "--http needs a host and a port, such as 127.0.0.1:8080 for this machine alone or [::1]:8080; "
            f"it is {text[:60]!r}."
        )
    return found["six"] or found["host"], int(found["port"])


def open_listener(address: str, settings: Settings) -> socket.socket:
    """Open the listening socket.

    Raises: SetupError if the address cannot be used, SettingsError if other machines can reach it without protection.
    """
    host, port = parse_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise SetupError(f"--http: the host {host[:60]} cannot be found. Use an address of this machine.") from None
    # IPv4 is preferred: clients that fail on IPv6 try IPv4, but not all of them try in the other order.
    family, _, _, _, socket_address = min(found, key=lambda info: info[0] != socket.AF_INET)
    if not is_loopback(str(socket_address[0]).partition("%")[0]):
        _require_protection(host, settings)
    # asyncio sets TCP_NODELAY only on sockets with an explicit protocol, which accepted sockets inherit. Without
    # TCP_NODELAY each answer waits 40 ms for the delayed acknowledgement of the client.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows this option lets two programs use one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(socket_address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SetupError(f"--http: {address} cannot be listened on: {reason(error)}. Choose another port.") from None
    listener.setblocking(False)
    return listener


def endpoint_url(listener: socket.socket, settings: Settings) -> str:
    """The URL of the endpoint for a client on this machine."""
    host, port = listener.getsockname()[:2]
    shown = bracketed(host)
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        shown = (settings.mcp_allowed_hosts or ("localhost",))[0].partition(":")[0]
    return f"http://{shown}:{port}{settings.mcp_path_prefix or ''}{MCP_PATH}"


def _require_protection(host: str, settings: Settings) -> None:
    missing: list[str] = []
    if settings.mcp_tokens_file is None and settings.mcp_oauth_issuer is None:
        missing.append("LINER_MCP_TOKENS_FILE or LINER_MCP_OAUTH_ISSUER (authentication)")
    if not settings.mcp_allowed_hosts:
        missing.append("LINER_MCP_ALLOWED_HOSTS (its host names)")
    if missing:
        raise SettingsError(
            f"--http: {host} can be reached from other machines, so set {' and '.join(missing)} first, "
            "or listen on 127.0.0.1."
        )
