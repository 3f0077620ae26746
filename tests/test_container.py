"""The image, read and run: what the Dockerfile says, and its very commands as processes on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.cli.tokens import create_token
from tests.http_server.support import PATIENCE
from tests.http_server.test_stopping import ended, started
from tests.test_docs import PYPROJECT

ROOT = Path(__file__).parent.parent
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: the word, and the rest in one line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [line.partition(" ") for line in "\n".join(lines).replace("\\\n", " ").splitlines()]
    return [(word, rest.strip()) for word, _, rest in found]


def last(word: str) -> str:
    """What an instruction says in the stage that becomes the image."""
    stage = instructions()
    stage = stage[max(place for place, (first, _) in enumerate(stage) if first == "FROM") :]
    (rest,) = [rest for first, rest in stage if first == word]
    return rest


def health_check() -> list[str]:
    return json.loads(last("HEALTHCHECK").partition(" CMD ")[2])


def command() -> list[str]:
    return [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]


def checked(address: str, **environment: str) -> int:
    """The exit code of the health check, asked of another port than the container's."""
    python, *arguments = health_check()
    assert python == "python"
    assert "'127.0.0.1', 8080" in arguments[-1]
    arguments[-1] = arguments[-1].replace("8080", address.rpartition(":")[2].partition("/")[0])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    ).returncode


def test_the_base_is_a_slim_python_that_we_are_made_for_pinned_by_its_minor_version() -> None:
    bases = {rest.partition(" ")[0] for word, rest in instructions() if word == "FROM"}
    (base,) = bases
    found = re.fullmatch(r"python:(3\.\d+)-slim", base)
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in PYPROJECT["project"]["classifiers"]


def test_it_runs_as_a_user_that_can_be_seen_not_to_be_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("CMD")


def test_all_ports_are_one() -> None:
    assert command()[-1] == f"0.0.0.0:{last('EXPOSE')}"
    assert f", {last('EXPOSE')}," in health_check()[-1]


def test_it_holds_no_secret_and_no_setting() -> None:
    assert not [rest for word, rest in instructions() if word == "ARG" or "LINER_" in rest]


def test_what_it_is_built_of_is_let_through_and_nothing_else() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    wanted = {name for names in copied for name in names}
    assert IGNORED[1] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == wanted
    assert all((ROOT / name).exists() for name in wanted)
    project = PYPROJECT["project"]
    assert wanted == {"pyproject.toml", project["readme"], *project["license-files"], "liner_mcp"}


def test_the_default_command_is_ours() -> None:
    assert command()[0] in PYPROJECT["project"]["scripts"]


def test_without_settings_it_says_what_to_set_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", *command()[1:]],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (sentence,) = done.stderr.splitlines()
    for variable in ("LINER_MCP_TOKENS_FILE", "LINER_MCP_OAUTH_ISSUER", "LINER_MCP_ALLOWED_HOSTS"):
        assert variable in sentence


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    tokens = tmp_path / "tokens"
    tokens.write_text(create_token("anna")[1] + "\n", encoding="utf-8")
    tokens.chmod(0o600)
    return {"LINER_MCP_TOKENS_FILE": str(tokens), "LINER_MCP_ALLOWED_HOSTS": "calls.example.com"}


def test_the_health_check_finds_the_default_command_alive_and_then_stopped(settings: dict[str, Any]) -> None:
    name, serve, option, _ = command()
    assert (name, serve, option) == ("liner-mcp", "serve", "--http")
    # On loopback and a free port; as in the container it is not set up, is asked by address, and may be given a proxy.
    with started(**settings) as (process, url):
        assert checked(url) == 0
        assert checked(url, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1") == 0
        process.terminate()
        assert ended(process) == (0, "", "")
        assert checked(url) != 0
