"""The layers of the package: which part may import which, and which module may do what. These tables decide."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import liner_mcp

PACKAGE = Path(liner_mcp.__file__).parent

# Folder or module -> the parts of the package that it may import. Imports go down only, so each part stands below the
# parts that import it.
MAY_IMPORT: dict[str, set[str]] = {
    # The bottom: they know nothing of the rest.
    "errors": set(),
    "urls": set(),
    "timezone": set(),
    "recent_ids": set(),
    "input_limits": set(),
    "provenance": {"errors"},
    "argument_types": {"input_limits"},
    "json_logging": set(),
    "text": {"text"},
    "files": {"errors"},
    "setting_values": set(),
    "shared_store": {"errors"},
    "settings": {"errors", "files", "setting_values", "urls"},
    "reloading_file": {"errors", "files"},
    # Liner's API, and the files that its records link to.
    "liner": {"errors", "shared_store", "text", "urls", "liner"},
    "recordings": {"errors", "urls", "liner", "recordings"},
    "event_loop": {"liner", "text"},
    # Answers.
    "answer": {"errors", "provenance", "answer"},
    "names": {"errors", "input_limits", "event_loop", "text", "liner", "answer", "names"},
    "search": {"errors", "text", "search"},
    "archive": {"errors", "provenance", "text", "timezone", "liner", "search", "archive"},
    "context": {"errors", "archive", "text", "timezone", "recent_ids", "event_loop", "liner", "recordings", "names"},
    "evidence": {"text"},
    "records": {
        "errors",
        "provenance",
        "input_limits",
        "event_loop",
        "text",
        "liner",
        "answer",
        "names",
        "context",
        "evidence",
        "records",
    },
    "calls": {
        "errors",
        "provenance",
        "archive",
        "input_limits",
        "argument_types",
        "text",
        "timezone",
        "liner",
        "answer",
        "names",
        "context",
        "search",
        "records",
        "calls",
    },
    "chatgpt": {"errors", "answer", "context", "search", "calls", "records"},
    "list_directory": {"errors", "input_limits", "text", "answer", "names", "context"},
    # The server and what starts it.
    "demo": {"demo"},
    "rubrics": set(),
    "server": {
        "errors",
        "provenance",
        "archive",
        "input_limits",
        "argument_types",
        "settings",
        "timezone",
        "reloading_file",
        "json_logging",
        "text",
        "liner",
        "recordings",
        "answer",
        "names",
        "context",
        "calls",
        "records",
        "list_directory",
        "chatgpt",
        "demo",
        "rubrics",
        "server",
    },
    "review": {
        "errors",
        "files",
        "input_limits",
        "settings",
        "timezone",
        "urls",
        "text",
        "evidence",
        "calls",
        "rubrics",
        "server",
        "review",
    },
    "telemetry": {"errors", "urls", "liner", "server", "telemetry"},
    "http_server": {
        "errors",
        "shared_store",
        "urls",
        "files",
        "settings",
        "reloading_file",
        "json_logging",
        "telemetry",
        "server",
        "http_server",
    },
    "diagnostics": {"errors", "urls", "settings", "text", "timezone", "liner", "recordings", "server", "diagnostics"},
    "cli": {
        "errors",
        "files",
        "settings",
        "json_logging",
        "reloading_file",
        "telemetry",
        "server",
        "http_server",
        "diagnostics",
        "archive",
        "liner",
        "timezone",
        "demo",
        "rubrics",
        "review",
        "cli",
    },
    "__main__": {"cli"},
    "__init__": set(),
}

# Outside package -> the only modules that may import it.
ONLY_IN: dict[str, set[str]] = {
    "httpx": {
        "liner/transport.py",
        "liner/http_client.py",
        "liner/decompression.py",
        "recordings/download.py",
        "recordings/connections.py",
        "server/clients.py",
        "server/app.py",
        "server/runtime.py",
        "server/archive_sync.py",
        "diagnostics/probe.py",
        "http_server/app.py",
        "http_server/auth/jwks.py",
        "cli/demo.py",
    },
    "httpcore": {"recordings/connections.py"},
    "jwt": {"http_server/auth/"},
    "stamina": {"liner/retry.py"},
    "cachetools": {
        "liner/cache.py",
        "liner/restricted_client.py",
        "names/directory.py",
        "recordings/recording_cache.py",
    },
    "aiolimiter": {"liner/pace.py", "http_server/middleware/rate_limit.py"},
    "mcp": {"server/", "http_server/app.py", "diagnostics/check.py", "cli/demo.py", "review/selection.py"},
    "opentelemetry": {"telemetry/export.py", "telemetry/instruments.py"},
    "uvicorn": {"http_server/"},
    "starlette": {"http_server/"},
    "sse_starlette": {"http_server/server.py"},
    "phonenumbers": {"text/phones/"},
    "snowballstemmer": {"search/words.py"},
    "pymorphy3": {"search/word_forms.py"},
    "rapidfuzz": {"evidence/"},
    "krippendorff": {"review/agreement.py"},
    "numpy": {"review/agreement.py"},
    "pydantic_ai": {"review/judge.py", "review/models.py", "review/run.py"},
    "genai_prices": {"review/models.py"},
    "yaml": {"review/rubric.py"},
    "pyrate_limiter": {"shared_store.py"},
    "redis": {"shared_store.py"},
    "apsw": {"archive/sqlite.py"},
    "psycopg": {"archive/postgres.py"},
    "filelock": {"archive/lock.py", "review/results.py"},
    "rich": {"cli/"},
    "argparse": {"cli/"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def package_of(path: Path) -> str:
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


def test_imports_go_down_only() -> None:
    offenders = {
        f"{name_of(path)} imports {part}"
        for path in modules()
        for part in {name.split(".")[1] for name in imports_of(path) if name.startswith("liner_mcp.")} - {"__version__"}
        if part not in MAY_IMPORT[package_of(path)]
    }
    assert offenders == set()


def test_the_table_of_layers_has_no_cycle_and_no_part_that_is_gone() -> None:
    order = list(MAY_IMPORT)
    assert set(order) == {package_of(path) for path in modules()}
    upward = {
        f"{part} imports {other}"
        for position, (part, others) in enumerate(MAY_IMPORT.items())
        for other in others
        if order.index(other) > position
    }
    assert upward == set()


def test_each_outside_package_is_imported_only_where_the_table_says() -> None:
    offenders = {
        f"{name_of(path)} imports {package}"
        for path in modules()
        for package in {name.split(".")[0] for name in imports_of(path)} & set(ONLY_IN)
        if not name_of(path).startswith(tuple(ONLY_IN[package]))
    }
    assert offenders == set()


def test_the_server_imports_late_through_one_entry_point_only() -> None:
    late = {
        name_of(path)
        for path in (PACKAGE / "server").glob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    assert late == {"server/lazy.py", "server/clients.py"}  # the second imports the demo only when it is asked for


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
    assert {name.split("/")[0] for name in printing} == {"cli"}


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
    ("name", "methods"),
    [("liner/transport.py", {"GET"}), ("recordings/download.py", {"GET"}), ("liner/http_client.py", set[str]())],
)
def test_the_client_sends_nothing_but_get(name: str, methods: set[str]) -> None:
    assert methods_sent((PACKAGE / name).read_text(encoding="utf-8")) == methods


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


def test_every_module_opens_with_its_docstring() -> None:
    mute = [name_of(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert mute == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in modules()} & {"utils", "helpers", "common", "manager", "misc", "base", "core"}


def test_modules_stay_under_400_lines() -> None:
    long = {name_of(path): n for path in modules() if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}
