"""A PostgreSQL server from the system's packages, one for each process of tests, and databases in it."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

USER = "liner"
FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=32MB"
_NUMBERS = count()


def binaries() -> Path | None:
    """The folder of the newest server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


class Server:
    """A server in a folder, on loopback. With the settings FAST, nothing survives a power cut."""

    def __init__(self, folder: Path, port: int) -> None:
        found = binaries()
        assert found is not None
        self._binaries, self._folder, self.port = found, folder, port
        self._user = None if os.geteuid() else pwd.getpwnam("nobody").pw_name  # it does not run as root
        if self._user is not None:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)

    @property
    def data(self) -> Path:
        """The files of the server."""
        return self._folder / "data"

    def create(self) -> None:
        self._run("initdb", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "--no-instructions")

    def start(self, settings: str = FAST) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", f"{options} {settings}", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, "-D", str(self.data), *arguments],
            user=self._user,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"]},
        )

    def url(self, database: str, *, user: str = USER) -> SecretStr:
        return SecretStr(f"postgresql://{user}@127.0.0.1:{self.port}/{database}")

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url(database).get_secret_value(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self) -> SecretStr:
        """The URL of an empty database."""
        name = f"archive_{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return self.url(name)

    def drop(self, url: SecretStr) -> None:
        """Remove a database and end its connections."""
        self.run(f"DROP DATABASE {database_of(url)} WITH (FORCE)")

    def disconnect(self, url: SecretStr) -> None:
        """End all connections to a database."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(self.url("postgres").get_secret_value(), autocommit=True) as connection:
            connection.execute(others, [database_of(url)])

    def files_with(self, url: SecretStr, text: str) -> list[str]:
        """The names of the files of a database that hold a text. Its log is not looked at."""
        self.run("CHECKPOINT")
        with psycopg.connect(url.get_secret_value()) as connection:
            row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        assert row is not None
        folder = self.data / "base" / str(row[0])
        return [file.name for file in folder.iterdir() if text.encode() in file.read_bytes()]


def database_of(url: SecretStr) -> str:
    """The name of the database in a URL."""
    return url.get_secret_value().rpartition("/")[2]


@contextmanager
def started() -> Generator[Server]:
    """A server of its own, for tests that stop it. Skipped where there is none."""
    if binaries() is None:
        pytest.skip("postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="liner-mcp-postgres-"))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    server = Server(folder, port)
    try:
        server.create()
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def shared_server() -> Server:
    """The server of this process of tests. It ends with it."""
    context = started()
    server = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return server
