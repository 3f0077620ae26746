"""A stdout that is not UTF-8: every command and every example prints, and the protocol stays UTF-8.

What the encoding lacks is shown as an escape. ASCII is the hardest case, because every other encoding here holds it: so
it is tried with everything, and the others with what prints the most letters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from liner_mcp.demo import Dataset, DemoLiner
from tests.conftest import text_of
from tests.support.asgi_server import serve_app

EXAMPLES = Path(__file__).parent.parent / "examples"
OTHERS = ("cp1251", "cp1252", "cp866", "koi8-r")
ODD = "Отчёты é ☂ 電話"
"""Each encoding lacks some of these letters."""


def settings(encoding: str, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding, **more}


def run(encoding: str, *arguments: str, **more: str) -> tuple[int, str]:
    """The exit code, and all that was printed; every byte of it is of that encoding."""
    command = ["-m", "liner_mcp"] if not arguments[0].endswith(".py") else []
    done = subprocess.run(
        [sys.executable, *command, *arguments],
        env=settings(encoding, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    printed = (done.stdout + done.stderr).decode(encoding)
    assert "Traceback" not in printed
    assert "UnicodeEncodeError" not in printed
    return done.returncode, printed


def shown(text: str, encoding: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)


def example(name: str) -> str:
    return str(EXAMPLES / name)


Case = tuple[tuple[str, ...], dict[str, str], int, str]


def assert_prints(encoding: str, cases: list[Case]) -> None:
    def ran_one(case: Case) -> tuple[int, str]:
        return run(encoding, *case[0], **case[1])

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(ran_one, cases))
    for (arguments, _, expected, piece), (code, printed) in zip(cases, ran, strict=True):
        assert code == expected, (arguments, printed)
        assert shown(piece, encoding) in printed, (arguments, printed)


def everything(folder: Path) -> list[Case]:
    """Every command and example with its settings, its exit code, and a piece of what it prints."""
    file, demo = str(folder / ODD / "mcp.json"), {"LINER_MCP_DEMO": "true"}
    reviewers = [str(folder / f"{ODD} {name}.jsonl") for name in "ab"]
    for path, verdict in zip(reviewers, ("yes", "no"), strict=True):
        line = {"call_id": 1, "criterion": "a", "verdict": verdict, "quote": ODD}
        Path(path).write_text(json.dumps(line), encoding="utf-8")
    account = {"LINER_API_HOST": "звонки.invalid", "LINER_API_TOKEN_FILE": str(folder / ODD)}
    return [
        (("--help",), {}, 0, "usage: liner-mcp"),
        (("--version",), {}, 0, "liner-mcp "),
        ((ODD,), {}, 2, ODD),
        (("serve",), demo, 0, ""),
        (("serve", "--http", ODD), demo, 2, "--http"),
        (("serve", "--demo", "--workers", "2"), {}, 2, "--workers"),
        (("check", "--demo"), {}, 0, "The demo works."),
        (("check",), account, 1, "LINER_API_TOKEN_FILE"),
        (("check",), {**account, "LINER_API_TOKEN_FILE": "", "LINER_API_TOKEN": "x"}, 1, "звонки.invalid"),
        (("check", "--probe", "--demo"), {}, 0, "DEMO: all data is invented"),
        (("demo",), {}, 0, "Sofia Marin"),
        (("demo", "--json"), {}, 0, "Sofia Marin"),
        (("install", "cursor", "--demo", "--dry-run", "--file", file), {}, 0, ODD),
        (("install", "vscode", "--demo", "--file", file), {}, 1, ODD),
        (("install", "cursor", "--demo", "--yes", "--file", str(folder)), {}, 1, "is not a file"),
        (("install", "claude-desktop", "--demo", "--yes", "--file", str(folder / f"{ODD}.json")), {}, 0, ODD),
        (("agreement", *reviewers), {}, 0, f'yes "{ODD}"'),
        (("agreement", *reviewers, "--json"), {}, 0, '"calls": 1'),
        (("agreement", reviewers[0]), {}, 2, "two reviewers"),
        (("token", "anna"), {}, 0, "lmcp_"),
        (("token", ODD), {}, 2, ""),
        (("token", "anna", "--add"), {"LINER_MCP_TOKENS_FILE": str(folder / f"{ODD} tokens")}, 0, "lmcp_"),
        ((example("read_recordings.py"), "7000102"), demo, 0, "Call 7000102"),
        ((example("ask_in_memory.py"), "7000102"), demo, 0, '"demo":"invented data"'),
        ((example("summarise_over_stdio.py"), "7000102", "7000103"), demo, 0, "7000102"),
        ((example("save_audio.py"), "9000055", str(folder / f"{ODD}.mp3")), demo, 0, ODD),
        (("review", "--no-model", "--demo", "--sample", "1", "--out", str(folder / f"{ODD} out")), {}, 0, ODD),
    ]


def test_every_command_and_every_example_prints_on_a_stdout_of_ascii(tmp_path: Path) -> None:
    cases = everything(tmp_path)
    assert {Path(case[0][0]).name for case in cases if case[0][0].endswith(".py")} == {
        path.name for path in EXAMPLES.glob("*.py")
    }
    assert_prints("ascii", cases)
    csv = next((tmp_path / f"{ODD} out").glob("*.csv")).read_bytes()
    assert csv.startswith(b"\xef\xbb\xbf")
    csv.decode("utf-8")


@pytest.mark.parametrize("encoding", OTHERS)
def test_what_prints_the_most_letters_prints_on_older_encodings(encoding: str, tmp_path: Path) -> None:
    assert_prints(encoding, [case for case in everything(tmp_path) if case[2] == 0 and not case[3].isascii()])


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["ascii", *OTHERS])
async def test_a_russian_summary_and_a_russian_question_pass_the_protocol_intact(
    encoding: str, dataset: Dataset
) -> None:
    with serve_app(DemoLiner(dataset)) as origin:
        environment = settings(encoding, LINER_API_HOST=origin, LINER_API_TOKEN="demo")
        server = StdioServerParameters(command=sys.executable, args=["-m", "liner_mcp"], env=environment)
        async with Client(server) as client:
            result: Any = await client.call_tool("list_call_records", {"call_id": 7003900, "summary_chars": 400})
            found: Any = await client.call_tool("list_directory", {"kind": "agents", "query": "орлов"})
    assert isinstance(result, CallToolResult)
    assert "Иван Макаров помнит рекламу «ЖК Северная Гавань»" in text_of(result)
    assert "Дмитрий Орлов" in text_of(found)
