"""The parts of compose.yaml as processes on loopback: its commands, its settings and its secrets, with other addresses.

A part is killed as a container is: the process and its children, at once.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from liner_mcp.cli.tokens import create_token
from tests.support.compose import environment, replicas, service
from tests.support.nginx import MISSING as NGINX_MISSING
from tests.support.nginx import NGINX, run_nginx
from tests.support.postgres import binaries

REDIS = shutil.which("redis-server")
_PASSWORD = "a password: with \\ signs"  # of a database that ends with the test
_PATIENCE = 60.0  # seconds; only a part that hangs takes so long
_UNPRIVILEGED = "nobody"


POSTGRES = binaries()
MISSING = NGINX_MISSING if NGINX is None else "redis-server and postgresql are not on this machine"
AVAILABLE = None not in (NGINX, REDIS, POSTGRES) and sys.platform == "linux"


class Parts:
    """The parts, of which any may be killed and started again under the same address.

    `settings` replace those of the servers. `origin` is that of nginx, `token` a caller's.
    """

    origin = ""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        name, self.token = "anna", ""
        self.token, line = create_token(name)
        self._ports = {name: free_port() for name in (*replicas(), "postgres", "redis")}
        self._settings = settings
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._data = Path(tempfile.mkdtemp(prefix="liner-mcp-compose-"))
        self._write_secrets(line)

    def _write_secrets(self, line: str) -> None:
        passfile = "*:*:*:*:" + _PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        files = {
            "secrets/liner-token": "demo\n",
            "secrets/database-password": _PASSWORD,
            "secrets/database-passfile": passfile + "\n",
            "callers/tokens": line + "\n",
        }
        for name, content in files.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(content, encoding="utf-8")
            (self.folder / name).chmod(0o600)

    # Addresses --------------------------------------------------------------------------------------------------------

    def settings(self, name: str) -> dict[str, str]:
        """The environment of a server, on this machine."""
        return {**{key: self._local(value) for key, value in environment(name).items()}, **self._settings}

    def _local(self, text: str) -> str:
        for there, here in {
            "@postgres:5432/": f"@127.0.0.1:{self._ports['postgres']}/",
            "redis://redis:6379/": self.redis_url,
            "/run/secrets/": f"{self.folder}/secrets/",
            "/etc/liner-mcp/": f"{self.folder}/callers/",
            environment("replica-1")["LINER_MCP_TRUSTED_PROXIES"]: "127.0.0.1",
        }.items():
            text = text.replace(there, here)
        return text

    @property
    def redis_url(self) -> str:
        """The address of the store, up to the number of its database."""
        return f"redis://127.0.0.1:{self._ports['redis']}/"

    def replica_origin(self, name: str) -> str:
        """The origin of a replica, without nginx."""
        return f"http://127.0.0.1:{self._ports[name]}"

    # Start and end ----------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a part and wait until its health check passes."""
        commands = {"postgres": self._postgres_command, "redis": self._redis_command}
        command = commands.get(name, lambda: self._server_command(name))()
        user = _UNPRIVILEGED if name == "postgres" and os.geteuid() == 0 else None
        own = self.settings(name) if name not in commands else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                cwd=self._data if user else None,
            )
        if name != "sync":
            self.wait(lambda: self.is_healthy(name) or self._exited(name), f"{name} is not healthy")
        assert not self._exited(name), self.log(name)

    def _exited(self, name: str) -> bool:
        return self._running[name].poll() is not None

    def kill(self, name: str) -> None:
        """End a part at once, as the end of its container does."""
        process = self._running.pop(name)
        family = [process.pid, *_descendants(process.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self.wait(lambda: not any(map(_is_alive, family)), f"{name} does not end")

    def close(self) -> None:
        """End everything that still runs."""
        for name in tuple(self._running):
            self.kill(name)
        shutil.rmtree(self._data, ignore_errors=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the place of the sync's, as `docker compose run --rm sync …`."""
        return subprocess.run(
            [sys.executable, "-m", "liner_mcp", *command],
            env={**os.environ, **self.settings("sync")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    # Commands ---------------------------------------------------------------------------------------------------------

    def _server_command(self, name: str) -> list[str]:
        arguments = [
            one.replace("0.0.0.0:8080", f"127.0.0.1:{self._ports.get(name)}") for one in service(name)["command"]
        ]
        return [sys.executable, "-m", "liner_mcp", *arguments]

    def _redis_command(self) -> list[str]:
        return [
            *self._with_ports("redis", service("redis")["command"]),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
        ]

    def _postgres_command(self) -> list[str]:
        assert POSTGRES
        data = self._data / "data"
        if not data.exists():
            self._create_database(data)
        program, *options = service("postgres")["command"]
        here = f"-D {data} -p {self._ports['postgres']} -h 127.0.0.1 -k {self._data}"
        return [str(POSTGRES / program), *options, *here.split()]

    def _create_database(self, data: Path) -> None:
        """As the image does on its first start. The only difference: connections of this machine need the password."""
        assert POSTGRES
        found = environment("postgres")
        user = _UNPRIVILEGED if os.geteuid() == 0 else None
        password = self._data / "password"
        password.write_text(_PASSWORD, encoding="utf-8")
        if user:
            for path in (self._data, password):
                os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        options = ["-U", found["POSTGRES_USER"], "--pwfile", str(password), "--auth-host=scram-sha-256", "--no-sync"]
        initdb = [POSTGRES / "initdb", "-D", data, *options, *found["POSTGRES_INITDB_ARGS"].split()]
        # A server for one user on its standard input: no other can connect meanwhile.
        single = [POSTGRES / "postgres", "--single", "-D", data, "postgres"]
        statement = f"CREATE DATABASE {found['POSTGRES_DB']}\n"
        for command, text in ((initdb, None), (single, statement)):
            subprocess.run(command, input=text, text=True, user=user, cwd=self._data, capture_output=True, check=True)

    def _with_ports(self, name: str, command: list[str]) -> list[str]:
        there = {"postgres": "5432", "redis": "6379"}[name]
        return [re.sub(rf"\b{there}\b", str(self._ports[name]), one) for one in command]

    # What they say ----------------------------------------------------------------------------------------------------

    def is_healthy(self, name: str) -> bool:
        """Whether the health check of a part passes: that of compose.yaml, or for a server that of its image."""
        if name in replicas():
            with suppress(httpx.TransportError):
                return httpx.get(f"{self.replica_origin(name)}/health").status_code == 200
            return False
        if name == "nginx":
            command = [one.replace("http://127.0.0.1:80", self.origin) for one in service(name)["healthcheck"]["test"]]
        else:
            command = self._with_ports(name, service(name)["healthcheck"]["test"])
        assert command[0] == "CMD"
        return subprocess.run(command[1:], capture_output=True, check=False).returncode == 0

    def log(self, name: str) -> str:
        """What a part has written so far."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    @staticmethod
    def wait(is_true: Callable[[], Any], otherwise: str) -> None:
        """Wait until something holds. A part that hangs fails the test."""
        ends = time.monotonic() + _PATIENCE
        while not is_true():
            assert time.monotonic() < ends, otherwise
            time.sleep(0.02)


@contextmanager
def started(folder: Path, settings: Mapping[str, str], *, sync: bool = True) -> Generator[Parts]:
    """All parts, in the order of compose.yaml's conditions."""
    parts = Parts(folder, **settings)
    with ExitStack() as stack:
        stack.callback(parts.close)
        for name in ("postgres", "redis", *replicas(), *(["sync"] if sync else [])):
            parts.start(name)
        (folder / "nginx").mkdir()
        origins = [parts.replica_origin(name) for name in replicas()]
        # The limits of one address stand aside: all clients of a test have the same.
        nginx = run_nginx(folder / "nginx", origins, requests=("100000r/s", "10000"), at_once=10_000)
        parts.origin = stack.enter_context(nginx)
        yield parts


def free_port() -> int:
    """A port of loopback that no one uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text("ascii").split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *_descendants(child))]


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
