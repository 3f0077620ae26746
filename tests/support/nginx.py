"""nginx on a loopback port with the configuration of docs/, in front of replicas of ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

CONFIGURATION = Path(__file__).parent.parent.parent / "docs" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
MISSING = "nginx is not on this machine (Debian and Ubuntu: apt-get install nginx-light)"
_EXAMPLES = ("server 10.198.51.11:8080;", "server 10.198.51.12:8080;")


@contextmanager
def run_nginx(
    folder: Path,
    replicas: Sequence[str],
    *,
    under_path: bool = False,
    certificate: tuple[str, str] | None = None,
    requests: tuple[str, str] = ("50r/s", "200"),
    at_once: int = 100,
) -> Generator[str]:
    """The origin at which nginx answers for `replicas`, which are origins; `folder` takes what it writes.

    `certificate`, the files of one and its key, switches the documented TLS on. `requests` replaces the documented rate
    and burst of one address, and `at_once` its requests at once.
    """
    assert NGINX
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    text = configuration(replicas, port, under_path=under_path)
    for documented, chosen in zip(("rate=50r/s", "burst=200"), requests, strict=True):
        assert documented in text
        text = text.replace(documented, documented.partition("=")[0] + "=" + chosen)
    assert "liner_mcp_connections 100;" in text
    text = text.replace("liner_mcp_connections 100;", f"liner_mcp_connections {at_once};")
    if certificate is not None:
        text = with_tls(text, port, certificate)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_listening(port, process)
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()


def configuration(replicas: Sequence[str], port: int, *, under_path: bool) -> str:
    """A whole configuration around the documented one, whose addresses alone are exchanged."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    servers = [f"server {urlsplit(replica).netloc};" for replica in replicas]
    for example, server in zip(_EXAMPLES, (servers[0], " ".join(servers[1:])), strict=True):
        assert example in text
        text = text.replace(example, server)
    assert "listen 80;" in text
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    if under_path:
        text = with_path_locations(text)
    user = "user root;" if sys.platform != "win32" and os.geteuid() == 0 else ""
    paths = " ".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"daemon off; pid pid; {user} events {{}}\nhttp {{ access_log off; {paths}\n{text}}}\n"


def with_path_locations(text: str) -> str:
    """The documented configuration with the locations that it shows as comments, instead of the one above them."""
    before, whole, rest = text.partition("    location / {\n")
    assert whole
    comments = rest[rest.index("    # location ") :]
    assert comments.count("# location ") == 2
    return before + comments.replace("    # ", "    ")


def with_tls(text: str, port: int, certificate: tuple[str, str]) -> str:
    """The documented configuration with the lines of TLS that it shows as comments, on the only port."""
    for there, here in (
        (f"    listen 127.0.0.1:{port};", ""),
        ("    # listen 443 ssl;", f"    listen 127.0.0.1:{port} ssl;"),
        ("    # ssl_certificate /etc/nginx/tls/certificate.pem;", f"    ssl_certificate {certificate[0]};"),
        ("    # ssl_certificate_key /etc/nginx/tls/key.pem;", f"    ssl_certificate_key {certificate[1]};"),
    ):
        assert there in text
        text = text.replace(there, here)
    return text


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("nginx did not start")
