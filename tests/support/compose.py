"""compose.yaml as data, with the values of .env.example in the place of its variables."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def read_env(text: str) -> dict[str, str]:
    """The variables of a file such as .env.example."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


ENV_EXAMPLE = read_env((ROOT / ".env.example").read_text(encoding="utf-8"))


def required_variables() -> set[str]:
    """The variables without which compose does not start."""
    return {name for name, kind, _ in _VARIABLE.findall(COMPOSE) if kind != "-"}


@cache
def compose() -> dict[str, Any]:
    """The whole file."""
    found = _VARIABLE.sub(lambda match: ENV_EXAMPLE.get(match[1]) or match[3] or "", COMPOSE)
    return yaml.safe_load(found)


def service(name: str) -> dict[str, Any]:
    """A service."""
    return compose()["services"][name]


def environment(name: str) -> dict[str, str]:
    """What a service has in its environment: its own lines win over its env_file, as in compose."""
    found = service(name)
    from_file = ENV_EXAMPLE if found.get("env_file") == ".env" else {}
    return {**from_file, **found.get("environment", {})}


def servers() -> list[str]:
    """The services that run liner-mcp."""
    return [name for name, found in compose()["services"].items() if found["image"] == "liner-mcp"]


def replicas() -> list[str]:
    """The services that answer MCP."""
    return [name for name in servers() if service(name)["command"][0] == "serve"]
