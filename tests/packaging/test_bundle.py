"""The bundle for Claude Desktop: what its manifest says, and the built file unpacked and started as a host does."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.settings import Settings
from tests.packaging.support import ROOT, UV, environment, lists_and_answer, require
from tests.support import snapshots
from tests.test_docs import PYPROJECT

MANIFEST: dict[str, Any] = json.loads(snapshots.MANIFEST.read_text(encoding="utf-8"))
PACKER = ROOT / "bundle" / "node_modules" / ".bin" / "mcpb"
BUILT = pytest.mark.skipif(
    UV is None or not PACKER.exists(), reason="uv or the packer is not here: npm install --prefix bundle"
)


def test_the_manifest_lists_the_tools_and_prompts_of_the_server() -> None:
    surface = json.loads(snapshots.SURFACE.read_text(encoding="utf-8"))
    lists = snapshots.manifest_lists(surface)
    assert {name: MANIFEST[name] for name in lists} == lists, "python -m tests.support.snapshots"


def test_the_manifest_agrees_with_the_package() -> None:
    project = PYPROJECT["project"]
    assert (MANIFEST["name"], MANIFEST["version"]) == (project["name"], project["version"])
    assert MANIFEST["license"] == project["license"]
    # A range of npm: a space between its parts and no comma.
    assert MANIFEST["compatibility"]["runtimes"]["python"] == f"{project['requires-python']} <3.15"
    assert (ROOT / MANIFEST["server"]["entry_point"]).is_file()


def test_the_fields_of_the_manifest_are_settings_of_which_only_the_token_is_secret() -> None:
    variables, fields = MANIFEST["server"]["mcp_config"]["env"], MANIFEST["user_config"]
    assert set(variables) <= {f"LINER_{name.upper()}" for name in Settings.model_fields}
    assert sorted(variables.values()) == sorted(f"${{user_config.{name}}}" for name in fields)
    assert [name for name, field in fields.items() if field.get("sensitive")] == ["token"]
    assert not [name for name, field in fields.items() if field.get("required")]
    assert {name: field["default"] for name, field in fields.items() if "default" in field} == {"demo": True}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    done = subprocess.run(
        [ROOT / "bundle" / "build.sh", folder], capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    require(done)
    with zipfile.ZipFile(folder / "liner-mcp.mcpb") as bundle:
        bundle.extractall(folder / "unpacked")
    return folder / "unpacked"


def launch(unpacked: Path, filled: dict[str, str]) -> tuple[str, list[str], dict[str, str]]:
    """The command, its arguments and its variables, with the fields of the form replaced as a host does."""
    config = MANIFEST["server"]["mcp_config"]
    arguments = [argument.replace("${__dirname}", str(unpacked)) for argument in config["args"]]
    variables = {
        name: re.sub(r"\$\{user_config\.(\w+)\}", lambda field: filled.get(field[1], field[0]), value)
        for name, value in config["env"].items()
    }
    home = unpacked.parent / "home"
    home.mkdir(exist_ok=True)
    assert UV is not None
    return UV, arguments, environment(home, **variables)


@BUILT
def test_the_bundle_holds_what_the_host_needs_and_nothing_else(unpacked: Path) -> None:
    assert {path.name for path in unpacked.iterdir()} == {
        ".python-version",
        "LICENSE",
        "README.md",
        "icon.png",
        "liner_mcp",
        "manifest.json",
        "pyproject.toml",
        "uv.lock",
    }
    assert not list(unpacked.rglob("__pycache__"))
    locked = tomllib.loads((unpacked / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert {"liner-mcp", "mcp", "httpx"} <= {package["name"] for package in locked}


@BUILT
@pytest.mark.anyio
@pytest.mark.parametrize(
    "filled",
    [{"demo": "true"}, {"host": "", "token": "", "timezone": "", "demo": "true"}],
    ids=["fields that stay unreplaced", "fields that are empty"],
)
async def test_without_an_account_the_bundle_is_the_demo(unpacked: Path, filled: dict[str, str]) -> None:
    found = await lists_and_answer(*launch(unpacked, filled))
    assert found["tools"] == [tool["name"] for tool in MANIFEST["tools"]]
    assert found["prompts"] == [prompt["name"] for prompt in MANIFEST["prompts"]]
    assert found["answer"]["demo"] == "invented data"
    assert found["answer"]["rows"]


@BUILT
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("filled", "said"),
    [
        ({"host": "http://127.0.0.1:9", "token": "t", "demo": "true"}, "Liner cannot be reached"),
        ({"host": "http://127.0.0.1:9", "demo": "true"}, "LINER_API_TOKEN"),
        ({"demo": "false"}, "Not set up yet"),
    ],
    ids=["an account", "half of an account", "neither"],
)
async def test_with_an_account_or_without_the_demo_the_bundle_invents_nothing(
    unpacked: Path, filled: dict[str, str], said: str
) -> None:
    found = await lists_and_answer(*launch(unpacked, filled))
    assert isinstance(found["answer"], str)
    assert said in found["answer"]
