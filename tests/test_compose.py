"""compose.yaml fits the program, the image, nginx.conf and the page that explains it. These tests only read."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.cli.main import _parser  # pyright: ignore[reportPrivateUsage] - to parse without running
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.settings import Settings, read_settings
from tests.support.compose import (
    COMPOSE,
    ENV_EXAMPLE,
    ROOT,
    compose,
    environment,
    replicas,
    required_variables,
    servers,
    service,
)
from tests.test_container import last
from tests.test_deployment import DEPLOYMENT, NGINX

SERVICES: dict[str, Any] = compose()["services"]
NETWORKS: dict[str, Any] = compose()["networks"]
SERVICE_KEYS = {
    *("build", "cap_add", "cap_drop", "command", "depends_on", "env_file", "environment", "healthcheck", "image"),
    *("init", "logging", "mem_limit", "networks", "pids_limit", "ports", "read_only", "restart", "secrets"),
    *("security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes"),
}
"""Those of the specification that the file uses: compose refuses a misspelt one only where it starts."""
EACH = pytest.mark.parametrize("name", SERVICES)


def is_internal(network: str) -> bool:
    return bool(NETWORKS[network].get("internal"))


def networks_of(name: str) -> set[str]:
    return set(service(name)["networks"])


def address_of(name: str) -> str:
    return service(name)["networks"]["proxied"]["ipv4_address"]


def sources(name: str) -> list[str]:
    """The files and folders of this repository that are mounted, and the volumes."""
    return [mount.split(":")[0] for mount in service(name).get("volumes", [])]


# What it is made of ---------------------------------------------------------------------------------------------------


def test_the_parts_are_those_of_a_team() -> None:
    assert replicas() == ["replica-1", "replica-2"]
    assert set(SERVICES) == {"nginx", *replicas(), "sync", "postgres", "redis"}


@EACH
def test_each_part_uses_known_keys_and_an_image_of_a_chosen_version(name: str) -> None:
    found = service(name)
    assert set(found) <= SERVICE_KEYS
    assert found["image"] == "liner-mcp" or re.fullmatch(r"[a-z]+:\d+(\.\d+)?", found["image"])
    assert found.get("build", ".") == "."


@EACH
def test_each_part_has_no_more_rights_and_means_than_it_needs_and_starts_again(name: str) -> None:
    found = service(name)
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit", "stop_grace_period"} <= set(found)
    assert found["logging"]["options"]["max-size"]
    assert bool(found.get("cap_add")) == (name == "nginx")


@EACH
def test_each_part_that_another_waits_for_has_a_health_check(name: str) -> None:
    for other, condition in service(name).get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}
        checked = service(other).get("healthcheck", {})
        assert checked.get("test") or (other in replicas() and last("HEALTHCHECK"))


def test_what_is_declared_is_used_and_what_is_used_is_declared() -> None:
    used = {network for name in SERVICES for network in networks_of(name)}
    assert used == set(NETWORKS)
    assert {secret for found in SERVICES.values() for secret in found.get("secrets", [])} == set(compose()["secrets"])
    named = {source for name in SERVICES for source in sources(name) if not source.startswith(".")}
    assert named == set(compose()["volumes"])


# Who reaches whom -----------------------------------------------------------------------------------------------------


def test_only_nginx_is_reached_from_outside_and_at_first_from_this_machine_only() -> None:
    assert [name for name, found in SERVICES.items() if found.get("ports")] == ["nginx"]
    (port,) = service("nginx")["ports"]
    assert port.startswith("127.0.0.1:")
    assert "${PUBLISH:-127.0.0.1:" in COMPOSE
    assert f"listen {port.rpartition(':')[2]};" in NGINX


def test_only_the_servers_and_the_sync_reach_the_stores_and_the_outside() -> None:
    stores = {"postgres", "redis"}
    assert {name for name in SERVICES if "stores" in networks_of(name)} == {*servers(), *stores}
    assert all(networks_of(name) == {"stores"} for name in stores)
    assert is_internal("stores")
    assert is_internal("proxied")
    outside = {name for name in SERVICES if not all(map(is_internal, networks_of(name)))}
    assert outside == {*servers(), "nginx"}
    # nginx needs an outer network for its port. Without masquerading, nothing that it sends first finds its way back.
    assert networks_of("nginx") == {"published", "proxied"}
    options = NETWORKS["published"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_nginx_knows_the_replicas_and_the_replicas_know_nginx() -> None:
    port = last("EXPOSE")
    assert re.findall(r"^ *server ([\d.:]+);", NGINX, re.MULTILINE) == [
        f"{address_of(one)}:{port}" for one in replicas()
    ]
    assert all(service(one)["command"] == ["serve", "--http", f"0.0.0.0:{port}"] for one in replicas())
    (subnet,) = [ipaddress.ip_network(one["subnet"]) for one in NETWORKS["proxied"]["ipam"]["config"]]
    addresses = [address_of(name) for name in ("nginx", *replicas())]
    assert len(set(addresses)) == 3
    assert all(ipaddress.ip_address(address) in subnet for address in addresses)
    assert {environment(one)["LINER_MCP_TRUSTED_PROXIES"] for one in replicas()} == {address_of("nginx")}


# Settings and secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", servers())
def test_the_settings_of_each_server_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = environment(name)
    for variable, value in found.items():
        monkeypatch.setenv(variable, value.replace("your-liner-api-host", "liner.example.com"))
    settings = read_settings()
    known = {f"LINER_{field.upper()}" for field in Settings.model_fields}
    assert {variable for variable in found if variable.startswith("LINER_")} <= known
    assert settings.startup_notices == []
    assert settings.replicas == len([one for one in servers() if environment(one).get("LINER_PACE_URL")])
    _parser().parse_args(service(name)["command"])


def test_the_servers_have_one_account_one_archive_and_one_rate() -> None:
    first, *others = [environment(name) for name in servers()]
    assert all(other == first for other in others)


def test_stores_are_found_under_the_names_and_ports_that_they_have() -> None:
    found = environment("sync")
    archive = re.fullmatch(r"postgresql://(\w+)@postgres:5432/(\w+)", found["LINER_ARCHIVE"])
    assert archive
    postgres = environment("postgres")
    assert (postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]) == archive.groups()
    command = service("redis")["command"]
    assert found["LINER_PACE_URL"] == f"redis://redis:{command[command.index('--port') + 1]}/0"


def test_the_operator_sets_what_has_no_value_and_every_line_of_the_example_is_a_setting_or_a_variable() -> None:
    assert required_variables() <= set(ENV_EXAMPLE)
    known = {f"LINER_{field.upper()}" for field in Settings.model_fields}
    assert set(ENV_EXAMPLE) <= known | set(re.findall(r"\$\{(\w+)", COMPOSE))


def test_secrets_are_files_that_only_their_readers_see_and_that_git_and_the_image_do_not_hold() -> None:
    readers = {
        secret: {name for name, found in SERVICES.items() if secret in found.get("secrets", [])}
        for secret in compose()["secrets"]
    }
    assert readers == {
        "liner-token": set(servers()),
        "database-passfile": set(servers()),
        "database-password": {"postgres"},
    }
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "/secrets/", "/callers/"} <= set(ignored)
    for name, found in compose()["secrets"].items():
        assert found == {"file": f"./secrets/{name}"}
        assert f"secrets/{name}" in DEPLOYMENT
    paths = re.findall(r"/run/secrets/([\w-]+)", COMPOSE)
    assert set(paths) == set(compose()["secrets"])
    assert not re.search(r"PASSWORD(?!_FILE)|//[^@\s]*:[^@\s]*@", COMPOSE)


def test_the_commands_of_the_page_make_the_files_that_the_parts_read(tmp_path: Path) -> None:
    """They are run without root and without docker, whose places are taken by programs that do nothing."""
    (commands,) = re.findall(r"^cp \.env\.example.*?(?=^```)", DEPLOYMENT, re.DOTALL | re.MULTILINE)
    shutil.copy(ROOT / ".env.example", tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sudo", "docker", "edit"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (programs / name).chmod(0o700)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "EDITOR": "edit"}
    subprocess.run(["sh", "-e", "-c", commands], cwd=tmp_path, env=environment, check=True, timeout=60)  # noqa: S607
    password = (tmp_path / "secrets/database-password").read_text(encoding="utf-8").strip()
    passfile = tmp_path / "secrets/database-passfile"
    assert len(password) == 64
    assert passfile.read_text(encoding="utf-8").strip() == f"*:*:*:*:{password}"
    assert passfile.stat().st_mode & 0o077 == 0  # libpq ignores a file that others can read
    assert (tmp_path / ".env").exists()
    assert (tmp_path / "callers").stat().st_mode & 0o777 == 0o700


@EACH
def test_what_is_mounted_from_the_repository_is_there_or_is_made_by_the_page(name: str) -> None:
    for source in sources(name):
        if source.startswith("./"):
            assert Path(ROOT / source).exists() or f"{source.removeprefix('./')}/" in DEPLOYMENT


# Times ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nginx", *replicas()])
def test_calls_may_end_before_a_replica_or_nginx_is_killed(name: str) -> None:
    seconds = int(service(name)["stop_grace_period"].removesuffix("s"))
    assert seconds >= LIMITS.stop_seconds(Settings.model_fields["deadline_seconds"].default)
