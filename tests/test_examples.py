"""The examples: short, and run as their reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sentences import assert_says

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUTF8": "1", "LINER_MCP_DEMO": "true", **settings}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_each_example_says_how_to_run_it(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert f"python examples/{path.name}" in source.split('"""')[1]


@pytest.mark.parametrize("name", ["read_recordings.py", "ask_in_memory.py", "summarise_over_stdio.py", "save_audio.py"])
def test_the_first_examples_are_under_sixty_lines(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 60


def test_each_example_says_on_stderr_that_its_data_is_invented_and_leaves_stdout_to_the_data(tmp_path: Path) -> None:
    listed = run("read_recordings.py", "7000102")
    (record_id, *_) = re.findall(r"record (\d+):", listed.stdout)
    saved = run("save_audio.py", record_id, str(tmp_path / "x.mp3"))
    for done in (listed, run("ask_in_memory.py", "7000102"), run("summarise_over_stdio.py", "7000102"), saved):
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("DEMO: ")
        assert "invented" in done.stderr
        assert "DEMO" not in done.stdout


def test_a_calls_recordings_are_read_with_the_client_alone() -> None:
    done = run("read_recordings.py", "7000102")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Call 7000102: ")
    assert len(re.findall(r"^  record \d{7}: ", done.stdout, re.MULTILINE)) >= 1


def test_a_call_that_is_not_there_ends_with_a_sentence() -> None:
    done = run("read_recordings.py", "12")
    assert done.returncode == 1
    assert_says(done.stderr.splitlines()[1], "liner_knows_nothing_under_this_id", at_start=True)


def test_the_server_is_asked_in_memory() -> None:
    done = run("ask_in_memory.py", "7000102")
    assert done.returncode == 0, done.stderr
    assert_says(done.stdout, "list_call_records_what_was_said")
    assert '{"demo":"invented data","asked":{"call_id":7000102}' in done.stdout


def test_ten_calls_are_summarised_over_stdio_with_names_and_shared_columns() -> None:
    ids = [str(number) for number in range(7000101, 7000111)]
    done = run("summarise_over_stdio.py", *ids)
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines() if line[:1] == "7"} == set(ids)


def test_a_recordings_audio_is_saved(tmp_path: Path) -> None:
    listed = run("read_recordings.py", "7000102").stdout
    (record_id, *_) = re.findall(r"record (\d+):", listed)
    file = tmp_path / "recording.mp3"
    done = run("save_audio.py", record_id, str(file))
    assert done.returncode == 0, done.stderr
    assert file.read_bytes()[:2] == b"\xff\xe3"
    assert [path.name for path in tmp_path.iterdir()] == ["recording.mp3"]


def test_audio_that_is_too_large_names_its_size_and_the_setting(tmp_path: Path) -> None:
    listed = run("read_recordings.py", "7000102").stdout
    (record_id, *_) = re.findall(r"record (\d+):", listed)
    done = run("save_audio.py", record_id, str(tmp_path / "x.mp3"), LINER_MAX_AUDIO_BYTES="1000")
    assert done.returncode == 1
    assert re.search(r"has [\d,]+ bytes; LINER_MAX_AUDIO_BYTES allows 1,000", done.stderr)
    assert not list(tmp_path.iterdir())


BY_ID = {
    "read_recordings.py": ["7000102"],
    "ask_in_memory.py": ["7000102"],
    "summarise_over_stdio.py": ["7000102"],
    "save_audio.py": ["9000055", "x.mp3"],
}


@pytest.mark.parametrize("name", BY_ID)
def test_without_settings_an_example_ends_with_the_servers_sentence(name: str) -> None:
    for settings, sentence in (
        ({"LINER_MCP_DEMO": ""}, "Not set up yet: set LINER_API_HOST "),
        ({"LINER_CONCURRENCY": "x"}, "LINER_CONCURRENCY cannot be used: "),
    ):
        done = run(name, *BY_ID[name], **settings)
        assert done.returncode == 1
        (line,) = [one for one in (done.stdout + done.stderr).splitlines() if sentence in one]
        assert line.startswith(sentence)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", BY_ID)
@pytest.mark.parametrize("first", [None, "abc", "1.5"])
def test_missing_or_wrong_arguments_end_with_the_usage(name: str, first: str | None) -> None:
    done = run(name, *([] if first is None else [first, *BY_ID[name][1:]]))
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {name} ")
    assert "Traceback" not in done.stderr


def test_a_call_that_cannot_be_and_a_folder_that_is_not_there_end_with_a_sentence(tmp_path: Path) -> None:
    done = run("summarise_over_stdio.py", "-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert_says(done.stderr, "demo_invented_data_call_ids_it", at_start=True)
    done = run("save_audio.py", "9000055", str(tmp_path / "nowhere" / "x.mp3"))
    assert done.returncode == 1
    assert "x.mp3 cannot be written: No such file or directory." in done.stderr
    assert "Traceback" not in done.stderr
