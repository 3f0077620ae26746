"""uvx, uv tool and pipx install the built wheel for a new user; the links start it in the hosts that they are for."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from liner_mcp.cli.links import LINKS
from tests.packaging.support import ROOT, UV, environment, lists_and_answer, require, run, surface_names
from tests.support.sentences import assert_says
from tests.test_docs import PYPROJECT, README

pytestmark = pytest.mark.skipif(UV is None or os.name == "nt", reason="uv is not here (extra dev), or this is Windows")


def entry_of(link: str) -> dict[str, Any]:
    """What a host reads from a link: the entry for its file, with the name in it."""
    parts = urlsplit(link)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if parts.hostname == "cursor.com":
        assert parts.path == "/en/install-mcp"
        return {"name": query["name"], **json.loads(base64.b64decode(query["config"], validate=True))}
    assert (parts.hostname, parts.path) == ("vscode.dev", "/redirect")
    scheme, _, entry = query["url"].partition("?")
    assert scheme == "vscode:mcp/install"
    return json.loads(unquote(entry))


@pytest.mark.parametrize("host", list(LINKS))
def test_a_link_adds_the_demo_and_holds_neither_a_secret_nor_a_path(host: str) -> None:
    entry = entry_of(LINKS[host])
    assert entry == {"name": "liner-demo", "command": "uvx", "args": ["liner-mcp", "serve", "--demo"]}
    assert entry["args"][0] == PYPROJECT["project"]["name"]
    assert entry["args"][0] in PYPROJECT["project"]["scripts"]


def test_the_readme_has_the_links_that_the_command_prints(tmp_path: Path) -> None:
    printed = re.findall(
        r"https://\S+", require(run(sys.executable, "-m", "liner_mcp", "install", "--link", home=tmp_path))
    )
    assert printed == list(LINKS.values())
    assert [link for link in printed if f"({link})" not in README] == []


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built wheel, which stands for the registry's."""
    folder = tmp_path_factory.mktemp("wheels")
    require(run("uv", "build", "--wheel", "--out-dir", folder, ROOT, home=folder))
    return folder


@pytest.fixture(scope="module")
def variables(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The wheel comes from its folder, and the tests download the dependencies once."""
    return {"UV_FIND_LINKS": str(wheels), "UV_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


def test_uvx_shows_the_demo_and_the_line_that_installs_the_program(variables: dict[str, str], tmp_path: Path) -> None:
    shown = require(run("uvx", "liner-mcp", "demo", home=tmp_path, **variables))
    assert "DEMO: all data is invented" in shown
    assert "uv tool install liner-mcp; liner-mcp install claude-desktop --demo" in shown


@pytest.mark.parametrize(
    "program", [["uvx", "liner-mcp"], ["uvx", "pipx", "run", "liner-mcp"]], ids=["uvx", "pipx run"]
)
def test_install_from_a_cache_is_refused_with_the_line_that_works(
    program: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    require(run(*program, "--version", home=tmp_path, **variables))
    done = run(*program, "install", "cursor", "--demo", "--yes", home=tmp_path, **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert_says(done.stderr, "nothing_was_written_this_program_runs")
    assert "uv tool install liner-mcp; liner-mcp install cursor --demo" in done.stderr
    assert not (tmp_path / ".cursor").exists()


@pytest.mark.anyio
@pytest.mark.parametrize("installer", [["uv", "tool", "install"], ["uvx", "pipx", "install"]], ids=["uv tool", "pipx"])
async def test_an_installed_program_adds_itself_and_the_entry_starts_it(
    installer: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    require(run(*installer, "liner-mcp", home=tmp_path, **variables))
    require(run("liner-mcp", "install", "cursor", "--demo", "--yes", home=tmp_path))
    entry = json.loads((tmp_path / ".cursor" / "mcp.json").read_bytes())["mcpServers"]["liner-demo"]
    assert Path(entry["command"]).is_relative_to(tmp_path)
    found = await lists_and_answer(entry["command"], entry["args"], {"HOME": str(tmp_path)})
    assert found["tools"] == surface_names("tools")
    assert found["answer"]["demo"] == "invented data"


@pytest.mark.anyio
@pytest.mark.parametrize("host", list(LINKS))
async def test_a_link_starts_the_demo(host: str, variables: dict[str, str], tmp_path: Path) -> None:
    entry = entry_of(LINKS[host])
    require(run(entry["command"], entry["args"][0], "--version", home=tmp_path, **variables))
    found = await lists_and_answer(entry["command"], entry["args"], environment(tmp_path, **variables))
    assert found["tools"] == surface_names("tools")
    assert found["answer"]["demo"] == "invented data"
