"""The house: who may import whom, and who may do what. The tables here are the law; the prose is in the docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import liner_mcp

PACKAGE = Path(liner_mcp.__file__).parent

# Storey or module -> the parts of the package it may import. Imports go down only.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "urls": set(),
    "settings": {"errors", "files", "urls"},
    "watched_file": {"errors", "files"},
    "connect": {"settings", "liner", "demo"},
    "log_lines": set(),
    "telemetry": {"errors", "urls", "liner", "server", "telemetry"},
    "liner": {"errors", "urls", "liner"},
    "review": {"errors", "liner", "review"},
    "server": {"errors", "settings", "connect", "watched_file", "log_lines", "liner", "review", "server"},
    "web": {"errors", "files", "urls", "settings", "watched_file", "log_lines", "telemetry", "server", "web"},
    "demo": {"demo"},
    "checkup": {"errors", "settings", "liner", "review", "server"},
    "diagnostics": {"errors", "urls", "settings", "connect", "liner", "review", "server", "diagnostics"},
    "tour": {"settings", "server", "demo"},
    "install": {"errors", "files", "settings"},
    "cli": {
        "errors",
        "settings",
        "log_lines",
        "telemetry",
        "server",
        "web",
        "checkup",
        "diagnostics",
        "tour",
        "install",
    },
    "__main__": {"cli"},
    "__init__": set(),
}

# Outside package -> the only modules that may import it.
ONLY_IN: dict[str, set[str]] = {
    # The server names the type of a transport; only the two clients and the wiring of the demo use the library.
    "httpx": {
        "liner/http_client.py",
        "liner/transport.py",
        "liner/client.py",
        "recordings/download.py",
        "clients.py",
        "diagnostics/probe.py",
        "server/app.py",
        "server/runtime.py",
        "http_server/app.py",
        "demo_tour.py",
        "http_server/auth/jwks.py",
    },
    "jwt": {"http_server/auth/jwt.py"},
    "stamina": {"liner/transport.py"},
    "async_lru": {"names/directory.py", "http_server/middleware/health.py"},
    "cachetools": {"liner/cache.py", "liner/restricted_client.py"},
    "aiolimiter": {"liner/transport.py", "http_server/middleware/rate_limit.py"},
    "mcp": {"server/", "http_server/app.py", "check.py", "demo_tour.py"},
    "opentelemetry": {"telemetry/export.py", "telemetry/instruments.py"},
    "uvicorn": {"web/"},
    "h11": {"http_server/connection.py"},
    "starlette": {"web/"},
    "sse_starlette": {"http_server/server.py"},
    "phonenumbers": {"text/phones/numbering_plans.py"},
    "rich": {"main.py"},
    "argparse": {"main.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Full names of what a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} uses a relative import"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    inside = {name.split(".")[1] for name in imports_of(path) if name.startswith("liner_mcp.")}
    inside -= {"__version__"}
    assert inside <= MAY_IMPORT[part_of(path)]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_each_outside_package_has_its_place(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)}
    trespassed = {
        package for package in outside & set(ONLY_IN) if not name_of(path).startswith(tuple(ONLY_IN[package]))
    }
    assert not trespassed


def test_the_server_imports_late_through_one_door_only() -> None:
    late = {
        name_of(path)
        for path in (PACKAGE / "server").glob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    assert late == {"server/lazy.py"}


def test_the_package_needs_neither_the_tests_nor_the_benchmarks() -> None:
    needing = {
        name_of(path) for path in modules() if {"tests", "benchmarks"} & {n.split(".")[0] for n in imports_of(path)}
    }
    assert needing == set()


def test_only_the_command_line_prints() -> None:
    printing = {
        name_of(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == {"main.py"}


def methods_sent(source: str) -> set[str]:
    """The HTTP methods of all requests that this source makes or sends; one that is no literal is "unknown"."""
    sent: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in {"post", "put", "patch", "delete", "options", "head"}:
            sent.add(node.func.attr.upper())
        elif node.func.attr in {"stream", "request", "build_request", "Request"}:
            method = node.args[0] if node.args else None
            sent.add(str(method.value) if isinstance(method, ast.Constant) else "unknown")
    return sent


@pytest.mark.parametrize(
    ("name", "methods"), [("wire.py", {"GET"}), ("audio.py", {"GET"}), ("http_client.py", set[str]())]
)
def test_the_client_sends_nothing_but_get(name: str, methods: set[str]) -> None:
    assert methods_sent((PACKAGE / "liner" / name).read_text(encoding="utf-8")) == methods


@pytest.mark.parametrize(
    ("source", "method"),
    [
        ('http.post("/v2/call/")', "POST"),
        ('http.stream("DELETE", "/v2/call/")', "DELETE"),
        ("http.request(method, url)", "unknown"),
        ('httpx.Request(method="PUT", url=url)', "unknown"),
        ('http.stream("GET", url)', "GET"),
    ],
)
def test_every_way_to_send_a_request_is_found(source: str, method: str) -> None:
    assert methods_sent(source) == {method}


def test_every_module_opens_with_its_constitution() -> None:
    mute = [name_of(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert mute == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in modules()} & {"utils", "helpers", "common", "manager", "misc", "base", "core"}


def test_modules_stay_under_400_lines() -> None:
    long = {name_of(path): n for path in modules() if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}
