"""`liner-mcp install`: the plan without a machine, files in a folder of the test's own, the command as a process."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.cli.host_config import (
    HOSTS,
    Change,
    build_entry,
    entry_environment,
    host_file,
    plan_change,
    read,
    write,
)
from liner_mcp.cli.program import is_cached, launch_command
from liner_mcp.errors import SetupError
from tests.support.sentences import assert_says, error_says, recorded

TOKEN = "s3cr3t-t0ken"
NOW = datetime(2026, 11, 20, 15, 4, 5, tzinfo=UTC)
POSIX = pytest.mark.skipif(os.name == "nt", reason="permission bits, links and terminals as POSIX has them")
ENTRY: dict[str, Any] = {"command": "/opt/liner-mcp", "args": ["serve"], "env": {"LINER_API_TOKEN": TOKEN}}
OTHERS: dict[str, Any] = {
    "theme": "тёмная",
    "mcpServers": {
        "zeta": {"command": "zeta", "args": ["--key=0ther-secret"], "env": {"ZETA_KEY": "0ther-secret"}},
        "alpha": {"url": "https://alpha.example.com", "headers": {"Authorization": "Bearer 0ther-secret"}},
    },
    "projects": {"/somewhere": {"mcpServers": {}}},
}


def planned(content: bytes | None, made: dict[str, Any] = ENTRY, *, host: str = "cursor") -> Change:
    found = plan_change(Path("/its/mcp.json"), content, HOSTS[host], "liner", made)
    assert found is not None
    return found


def after(content: bytes | None, made: dict[str, Any] = ENTRY, *, host: str = "cursor") -> dict[str, Any]:
    return json.loads(planned(content, made, host=host).after)


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


# where --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "platform", "place"),
    [
        ("claude-desktop", "darwin", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", ".config/Claude/claude_desktop_config.json"),
        ("vscode", "darwin", "Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", "AppData/Roaming/Code/User/mcp.json"),
        ("vscode", "linux", ".config/Code/User/mcp.json"),
        *(("cursor", platform, ".cursor/mcp.json") for platform in ("darwin", "win32", "linux")),
        *(("claude-code", platform, ".claude.json") for platform in ("darwin", "win32", "linux")),
    ],
)
def test_each_host_has_its_file_on_each_system(host: str, platform: str, place: str, tmp_path: Path) -> None:
    assert host_file(host, platform=platform, home=tmp_path, environment={}) == tmp_path / place


@pytest.mark.parametrize(
    ("host", "platform", "variable", "rest"),
    [
        ("claude-desktop", "win32", "APPDATA", "Claude/claude_desktop_config.json"),
        ("vscode", "win32", "APPDATA", "Code/User/mcp.json"),
        ("vscode", "linux", "XDG_CONFIG_HOME", "Code/User/mcp.json"),
        ("claude-code", "linux", "CLAUDE_CONFIG_DIR", ".claude.json"),
    ],
)
def test_a_folder_that_the_environment_names_is_where_the_host_looks(
    host: str, platform: str, variable: str, rest: str, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    environment = {variable: str(moved)}
    assert host_file(host, platform=platform, home=tmp_path, environment=environment) == moved / rest


def test_claude_desktop_as_a_windows_package_has_its_own_appdata(tmp_path: Path) -> None:
    package = tmp_path / "Local" / "Packages" / "Claude_abc" / "LocalCache"
    package.mkdir(parents=True)
    environment = {"APPDATA": str(tmp_path / "Roaming"), "LOCALAPPDATA": str(tmp_path / "Local")}
    file = host_file("claude-desktop", platform="win32", home=tmp_path, environment=environment)
    assert file == package / "Roaming" / "Claude" / "claude_desktop_config.json"
    code = host_file("vscode", platform="win32", home=tmp_path, environment=environment)
    assert code == tmp_path / "Roaming" / "Code" / "User" / "mcp.json"


def test_two_packages_of_claude_desktop_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("Claude_abc", "Claude_xyz"):
        (tmp_path / "Packages" / name / "LocalCache").mkdir(parents=True)
    with pytest.raises(SetupError, check=error_says("2_packages_of_claude_desktop_file")):
        host_file("claude-desktop", platform="win32", home=tmp_path, environment={"LOCALAPPDATA": str(tmp_path)})


# what ---------------------------------------------------------------------------------------------------------------


def test_our_program_is_started_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "liner-mcp"
    script.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert launch_command("./liner-mcp") == [str(script)]


def test_our_program_comes_from_this_installation_and_not_from_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "liner-mcp").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    started = launch_command("/elsewhere/liner_mcp/__main__.py")
    assert Path(started[0]).is_absolute()
    assert Path(started[0]).parent != tmp_path


def test_without_a_script_the_interpreter_starts_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", {"scripts": str(tmp_path)}.__getitem__)
    assert launch_command("/elsewhere/__main__.py") == [sys.executable, "-m", "liner_mcp"]


def test_only_settings_that_are_set_and_known_are_taken() -> None:
    environment = {
        "LINER_API_HOST": " api.example.com ",
        "liner_timezone": "Europe/Moscow",
        "LINER_API_TOKEN": TOKEN,
        "LINER_AUDIO": " ",
        "LINER_UNKNOWN": "1",
        "PATH": "/bin",
    }
    assert entry_environment(environment, demo=False) == {
        "LINER_API_HOST": "api.example.com",
        "LINER_API_TOKEN": TOKEN,
        "LINER_TIMEZONE": "Europe/Moscow",
    }


def test_a_demo_takes_neither_host_nor_token() -> None:
    environment = {
        "LINER_API_HOST": "api.example.com",
        "LINER_API_TOKEN": TOKEN,
        "LINER_API_TOKEN_FILE": "token",
        "LINER_MCP_DEMO": "true",
        "LINER_TIMEZONE": "Europe/Moscow",
    }
    assert entry_environment(environment, demo=True) == {"LINER_TIMEZONE": "Europe/Moscow"}


PROXIES = {
    "HTTPS_PROXY": "http://proxy:1",
    "https_proxy": "http://p:2",
    "HTTP_PROXY": "h",
    "ALL_PROXY": "a",
    "no_proxy": "n",
}


def test_the_variables_of_the_network_are_taken_in_both_spellings_and_the_demo_needs_none() -> None:
    environment = {
        **PROXIES,
        "SSL_CERT_FILE": "/etc/ca.pem",
        "SSL_CERT_DIR": " ",
        "ftp_proxy": "f",
        "LINER_AUDIO": "off",
    }
    taken = {**PROXIES, "SSL_CERT_FILE": "/etc/ca.pem", "LINER_AUDIO": "off"}
    assert entry_environment(environment, demo=False) == taken
    assert entry_environment(environment, demo=True) == {"LINER_AUDIO": "off"}


@pytest.mark.parametrize(
    ("place", "cached"),
    [
        (".cache/uv/archive-v0/ZqMm7Oqca7LZl3Nm", True),
        (".cache/pipx/0123456789abcde", True),
        (".local/share/pipx/.cache/0123456789abcde", True),
        ("AppData/Local/uv/cache/archive-v0/ZqMm7Oqca7LZl3Nm", True),
        (".local/share/uv/tools/liner-mcp", False),
        (".local/share/pipx/venvs/liner-mcp", False),
        ("liner-mcp/.venv", False),
    ],
)
def test_an_environment_in_a_cache_is_recognised(place: str, cached: bool, tmp_path: Path) -> None:
    environment = tmp_path / place
    environment.mkdir(parents=True)
    (environment / "CACHEDIR.TAG").touch()  # as uv writes it into every environment
    if "uv/cache" in place:
        (tmp_path / "AppData" / "Local" / "uv" / "cache" / "CACHEDIR.TAG").touch()
    assert is_cached(environment) is cached


@pytest.mark.parametrize("written", ["token", "./token", "~/token"])
@pytest.mark.parametrize(
    "name", ["LINER_API_TOKEN_FILE", "LINER_MCP_ACCESS_FILE", "LINER_MCP_TOKENS_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
)
def test_a_file_is_named_in_full(name: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert entry_environment({name: written}, demo=False) == {name: str(tmp_path / "token")}


@pytest.mark.parametrize(("host", "typed"), [("claude-code", True), ("vscode", True), ("cursor", False)])
def test_an_entry_tells_its_type_where_the_host_wants_it(host: str, typed: bool) -> None:
    name, made = build_entry("liner-mcp", {}, demo=True, host=HOSTS[host])
    assert name == "liner-demo"
    assert made["args"] == ["serve", "--demo"]
    assert ("type" in made) is typed
    assert "env" not in made


# merging ------------------------------------------------------------------------------------------------------------


def test_everything_else_in_the_file_stays_in_its_order() -> None:
    new = after(encoded(OTHERS))
    assert new["mcpServers"].pop("liner") == ENTRY
    assert json.dumps(new) == json.dumps(OTHERS)


def test_vs_code_keeps_its_inputs_and_has_its_own_key() -> None:
    new = after(encoded({"inputs": [{"id": "x"}], "servers": {"other": {}}}), host="vscode")
    assert list(new) == ["inputs", "servers"]
    assert list(new["servers"]) == ["other", "liner"]


def test_variables_that_a_user_added_stay_and_ours_win() -> None:
    env = {"HTTPS_PROXY": "http://proxy", "LINER_TIMEZONE": "Asia/Dubai", "LINER_AUDIO": "off"}
    old = {"mcpServers": {"liner": {"command": "old", "disabled": True, "env": env}}}
    made = {**ENTRY, "env": {"LINER_API_TOKEN": TOKEN, "LINER_TIMEZONE": "Europe/Moscow"}}
    ours = after(encoded(old), made)["mcpServers"]["liner"]
    assert ours == {**made, "disabled": True, "env": {**env, **made["env"]}}


def test_variables_that_a_user_added_stay_when_we_have_none() -> None:
    old = {"mcpServers": {"liner": {"command": "old", "env": {"HTTPS_PROXY": "http://proxy"}}}}
    ours = after(encoded(old), {"command": "new", "args": ["serve"]})["mcpServers"]["liner"]
    assert ours["env"] == {"HTTPS_PROXY": "http://proxy"}


def test_a_token_file_takes_the_place_of_a_token_for_two_are_refused_by_the_server() -> None:
    made = {**ENTRY, "env": {"LINER_API_TOKEN_FILE": "/t"}}
    old = {"mcpServers": {"liner": ENTRY}}
    assert after(encoded(old), made)["mcpServers"]["liner"]["env"] == {"LINER_API_TOKEN_FILE": "/t"}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"])
def test_a_missing_or_empty_file_gets_our_entry_alone(content: bytes | None) -> None:
    assert after(content) == {"mcpServers": {"liner": ENTRY}}


def test_a_byte_order_mark_is_read_and_not_written() -> None:
    written = planned(b"\xef\xbb\xbf" + encoded(OTHERS)).after
    assert written.startswith(b"{")
    assert json.loads(written)["theme"] == "тёмная"


def test_text_is_written_as_it_is_and_never_as_escapes() -> None:
    assert "тёмная".encode() in planned(encoded(OTHERS)).after


def test_half_of_an_emoji_survives() -> None:
    written = planned(rb'{"history": ["\ud83d", "\ud83d\ude00"]}').after
    assert rb'"\ud83d"' in written
    assert json.loads(written)["history"] == ["\ud83d", "\U0001f600"]


def test_the_same_entry_again_changes_nothing() -> None:
    content = planned(encoded(OTHERS)).after
    assert plan_change(Path("/its/mcp.json"), content, HOSTS["cursor"], "liner", ENTRY) is None


COMMENTED = b"""{
  // Servers that I use: "quoted", {in brackets},
  "inputs": [{"id": "x", "url": "https://x.example.com//path",},], /* one,
  two */ "text": "no /* comment */, no // comment,]",
  "servers": {
    "other": {"command": "o", "args": [1, true, null,]}, // the other
  },
}
"""


def test_comments_and_trailing_commas_are_read_and_the_loss_of_comments_is_announced(tmp_path: Path) -> None:
    change = planned(COMMENTED, host="vscode")
    new = json.loads(change.after)
    assert new.pop("servers") == {"other": {"command": "o", "args": [1, True, None]}, "liner": ENTRY}
    assert new == {
        "inputs": [{"id": "x", "url": "https://x.example.com//path"}],
        "text": "no /* comment */, no // comment,]",
    }
    assert_says(change.diff[-1], "comments_in_the_file_are_not", at_start=True)
    assert_says(planned(b'{"servers": {},}', host="vscode").diff[-1], "everything_else_in_the_file_is_2", at_start=True)
    path = tmp_path / "mcp.json"
    path.write_bytes(COMMENTED)
    backup = put(path)
    assert backup is not None
    assert backup.read_bytes() == COMMENTED


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{\n  "mcpServers": {,}\n}', "not_plain_json_in_utf_8"),
        (b'{\n  // mine\n  "mcpServers": {,}\n}', "line_3"),
        (b'{\n  /* mine\n  "mcpServers": {}\n}', "line_2"),
        (b'{"mcpServers": {},,}', "not_plain_json_in_utf_8_2"),
        (b'{"a": 1}\n{"b": 2}', "line_2"),
        (b'{\n"a": "\xff"}', "not_plain_json_in_utf_8_2"),
        ('{"a": 1}'.encode("utf-16"), "not_plain_json_in_utf_8_2"),
        (b"[]", "does_not_hold_a_json_object"),
        (b"null", "does_not_hold_a_json_object"),
        (b'{"mcpServers": []}', "mcp_servers_is_not_a_json_object"),
        (b'{"mcpServers": null}', "mcp_servers_is_not_a_json_object"),
        (b'{"mcpServers": {"liner": "x"}}', "liner_in_is_not_a_json"),
        (b'{"mcpServers": {"liner": {"env": []}}}', "env_in_is_not_a_json"),
        (b'{"mcpServers": {"a": {}, "a": {}}}', "the_same_name_twice"),
        (b'{"mcpServers": {"a": {}}, "mcpServers": {}}', "the_same_name_twice"),
        (b'{"a": ' + b"[" * 100_000, "not_plain_json_in_utf_8_2"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_what_is_not_understood_is_refused_in_two_sentences(content: bytes, sentence: str) -> None:
    with pytest.raises(SetupError, check=error_says(sentence)) as told:
        planned(content)
    assert len(str(told.value)) < 300
    assert "/its/mcp.json" in str(told.value).replace("\\", "/")
    assert_says(str(told.value), "nothing_was_changed")


# shown --------------------------------------------------------------------------------------------------------------


def test_the_diff_shows_our_entry_and_no_secret_of_anybody() -> None:
    made = {**ENTRY, "env": {"LINER_API_HOST": "api.example.com", "LINER_API_TOKEN": TOKEN}}
    diff = planned(encoded(OTHERS), made).diff
    text = "\n".join(diff)
    assert '+      "LINER_API_TOKEN": "•••"' in diff
    assert '+      "LINER_API_HOST": "api.example.com",' in diff
    assert not [secret for secret in (TOKEN, "0ther-secret", "zeta", "тёмная") if secret in text]
    assert diff[-1] == recorded("everything_else_in_the_file_is")
    assert not [line for line in diff if line.startswith("-")]


def test_what_stood_in_our_entry_is_hidden_unless_it_is_a_setting() -> None:
    old = {
        "command": "npx",
        "args": ["--token", "0ld-secret"],
        "env": {"LINER_API_TOKEN": "0ld-secret", "PROXY": "http://u:0ld-secret@p", "LINER_TIMEZONE": "Asia/Dubai"},
        "headers": {"Authorization": "0ld-secret"},
    }
    diff = planned(encoded({"mcpServers": {"liner": old}})).diff
    assert "0ld-secret" not in "\n".join(diff)
    assert [line for line in diff if '"LINER_TIMEZONE": "Asia/Dubai"' in line]
    assert '-    "command": "npx",' in diff


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_address_of_a_proxy_is_shown_and_its_password_never(name: str) -> None:
    old = {"mcpServers": {"liner": {**ENTRY, "env": {name: "http://anna:0ld-secret@proxy:3128"}}}}
    secret = planned(encoded(old), {**ENTRY, "env": {name: f"http://anna:{TOKEN}@proxy:3128"}}).diff
    assert f'+      "{name}": "••• (changed)"' in secret
    assert not [word for word in ("0ld-secret", TOKEN) if word in "\n".join(secret)]
    plain = planned(encoded(old), {**ENTRY, "env": {name: "http://proxy:3128"}}).diff
    assert f'+      "{name}": "http://proxy:3128"' in plain


def test_a_new_token_in_place_of_another_is_seen_as_a_change() -> None:
    old = {"mcpServers": {"liner": {**ENTRY, "env": {"LINER_API_TOKEN": "0ld-secret"}}}}
    diff = planned(encoded(old)).diff
    assert '-      "LINER_API_TOKEN": "•••"' in diff
    assert '+      "LINER_API_TOKEN": "••• (changed)"' in diff


@pytest.mark.parametrize("old", ["0ld-secret", ["0ld-secret"], None, {"args": "0ld-secret", "env": ["0ld-secret"]}])
def test_an_entry_that_is_removed_is_hidden_whatever_it_is(old: Any) -> None:
    content = encoded({"mcpServers": {"liner-demo": old}})
    found = plan_change(Path("/its/mcp.json"), content, HOSTS["cursor"], "liner", ENTRY, remove="liner-demo")
    assert found is not None
    assert list(json.loads(found.after)["mcpServers"]) == ["liner"]
    assert [line for line in found.diff if line.startswith('-  "liner-demo": ')]
    assert "0ld-secret" not in "\n".join(found.diff)


# files --------------------------------------------------------------------------------------------------------------


def put(path: Path, now: datetime = NOW, made: dict[str, Any] = ENTRY) -> Path | None:
    found = plan_change(path, read(path), HOSTS["cursor"], "liner", made)
    assert found is not None
    return write(found, now)


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "mcp.json"
    assert put(path) is None
    assert [file.name for file in path.parent.iterdir()] == ["mcp.json"]
    assert json.loads(path.read_bytes()) == {"mcpServers": {"liner": ENTRY}}


@POSIX
def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    put(tmp_path / "mcp.json")
    assert bits(tmp_path / "mcp.json") == 0o600


@POSIX
@pytest.mark.parametrize(
    ("secret", "before", "after"),
    [
        ({}, 0o644, 0o644),
        ({"LINER_API_TOKEN": TOKEN}, 0o644, 0o600),
        ({"LINER_API_TOKEN": TOKEN}, 0o760, 0o700),
        ({"HTTPS_PROXY": "http://anna:secret@proxy.example.com:3128"}, 0o664, 0o600),
    ],
)
def test_a_file_that_gets_a_secret_and_each_backup_are_for_their_owner_alone(
    tmp_path: Path, secret: dict[str, str], before: int, after: int
) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(encoded(OTHERS))
    path.chmod(before)
    backup = put(path, made={"command": "liner-mcp", "env": secret})
    assert backup is not None
    assert (bits(path), bits(backup)) == (after, 0o600)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may give a file to another user")
def test_the_owner_of_the_file_stays_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(encoded(OTHERS))
    os.chown(path, 1234, 1234)
    backup = put(path)
    assert backup is not None
    assert {(file.stat().st_uid, file.stat().st_gid) for file in (path, backup)} == {(1234, 1234)}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may give a file to another user")
def test_what_root_makes_in_a_users_folder_belongs_to_that_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    put(tmp_path / "a" / "b" / "mcp.json")
    made = (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "mcp.json")
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(1234, 1234)}


def test_the_old_content_is_put_beside_each_time(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(encoded(OTHERS))
    for number in (5, 6, 7):
        before = path.read_bytes()
        backup = put(path, NOW.replace(second=number), {**ENTRY, "args": ["serve", str(number)]})
        assert backup is not None
        assert backup == tmp_path.resolve() / f"mcp.json.backup-20261120-15040{number}-000000"
        assert backup.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_an_older_backup_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(encoded(OTHERS))
    put(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(SetupError, check=error_says("run_this_again")):
        put(path, NOW, {"command": "another"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@POSIX
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "real.json"
    target.parent.mkdir()
    target.write_bytes(b"{}")
    link = tmp_path / "mcp.json"
    link.symlink_to(Path("dotfiles") / "real.json")
    backup = put(link)
    assert link.is_symlink()
    assert "liner" in json.loads(target.read_bytes())["mcpServers"]
    assert backup is not None
    assert backup.parent == target.parent.resolve()


@POSIX
def test_a_dangling_link_is_refused_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "mcp.json"
    link.symlink_to(tmp_path / "nowhere.json")
    with pytest.raises(SetupError, check=error_says("is_not_a_file_a_broken")):
        put(link)
    assert [file.name for file in tmp_path.iterdir()] == ["mcp.json"]


@POSIX
def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "mcp.json"
    link.symlink_to(link)
    with pytest.raises(SetupError, check=error_says("is_not_a_file_a_broken")):
        put(link)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, check=error_says("is_not_a_file_a_folder")):
        put(tmp_path)


@POSIX
def test_a_pipe_in_its_place_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mcp.json")
    with pytest.raises(SetupError, check=error_says("is_not_a_file")):
        put(tmp_path / "mcp.json")


def test_a_file_in_place_of_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"")
    with pytest.raises(SetupError, match=r"cannot be (read|written): "):
        put(tmp_path / "folder" / "mcp.json")


def test_a_read_only_file_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b"{}")
    path.chmod(0o444)
    with pytest.raises(SetupError, check=error_says("is_read_only")):
        put(path)
    path.chmod(0o644)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("mcp.json", b"{}")]


@pytest.fixture
def read_only_folder() -> Generator[Path]:
    """A folder that this process may read and not write, also when the tests run as the superuser."""
    superuser = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp())
    (folder / "mcp.json").write_bytes(b"{}")
    (folder / "mcp.json").chmod(0o666)
    (folder / "hidden.json").touch(mode=0o000)
    folder.chmod(0o555)
    if superuser:
        os.seteuid(65534)
    yield folder
    if superuser:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@POSIX
@pytest.mark.parametrize("name", ["mcp.json", "new.json", "new/mcp.json"])
def test_a_read_only_folder_is_refused_and_stays(name: str, read_only_folder: Path) -> None:
    with pytest.raises(SetupError, check=error_says("cannot_be_written_permission_denied_it")):
        put(read_only_folder / name)
    assert {file.name for file in read_only_folder.iterdir()} == {"mcp.json", "hidden.json"}
    assert (read_only_folder / "mcp.json").read_bytes() == b"{}"


@POSIX
def test_a_file_that_may_not_be_read_is_refused(read_only_folder: Path) -> None:
    with pytest.raises(SetupError, check=error_says("cannot_be_read_permission_denied")):
        read(read_only_folder / "hidden.json")


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b"{}")
    found = plan_change(path, read(path), HOSTS["cursor"], "liner", ENTRY)
    assert found is not None
    path.write_bytes(b'{"theme": "dark"}')
    with pytest.raises(SetupError, check=error_says("was_changed_by_another_program_meanwhile")):
        write(found, NOW)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("mcp.json", b'{"theme": "dark"}')]


# the command --------------------------------------------------------------------------------------------------------


def environment(home: Path, **settings: str) -> dict[str, str]:
    unset = {"XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    kept = {
        name: value for name, value in os.environ.items() if name not in unset and not name.lower().endswith("_proxy")
    }
    folders = {"HOME": home, "USERPROFILE": home, "APPDATA": home / "AppData", "LOCALAPPDATA": home / "Local"}
    return {**kept, "PYTHONUTF8": "1", **{name: str(folder) for name, folder in folders.items()}, **settings}


def install(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", "install", *arguments],
        env=environment(home, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("host", list(HOSTS))
def test_the_entry_that_is_written_starts_a_server_with_our_tools(host: str, tmp_path: Path) -> None:
    done = install(tmp_path, host, "--demo", "--yes")
    assert done.returncode == 0, done.stderr
    file = host_file(host, platform=sys.platform, home=tmp_path, environment=environment(tmp_path))
    made = json.loads(file.read_bytes())[HOSTS[host].key]["liner-demo"]
    assert Path(made["command"]).is_absolute()
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    served = subprocess.run(
        [made["command"], *made["args"]],
        env={"HOME": str(tmp_path), **made.get("env", {})},  # as poor as a desktop host's
        input=json.dumps(asked) + "\n",
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert "list_call_records" in {tool["name"] for tool in json.loads(served.stdout)["result"]["tools"]}


def test_the_token_is_written_but_never_shown_and_the_next_step_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    done = install(
        tmp_path, "cursor", "--yes", "--file", str(file), LINER_API_HOST="api.example.com", LINER_API_TOKEN=TOKEN
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_bytes())["mcpServers"]["liner"]["env"]["LINER_API_TOKEN"] == TOKEN
    assert '+      "LINER_API_TOKEN": "•••"' in done.stdout
    assert_says(done.stdout, "liner_api_token_file_keeps_it")
    assert done.stdout.rstrip().endswith("check")


def test_only_the_usual_file_of_a_host_is_followed_by_that_hosts_next_step(tmp_path: Path) -> None:
    usual = install(tmp_path, "cursor", "--yes", "--demo").stdout
    assert "for Cursor in" in usual
    assert "Restart Cursor." in usual
    other = install(tmp_path, "cursor", "--yes", "--demo", "--file", str(tmp_path / "settings.json")).stdout
    assert "Cursor" not in other
    assert_says(other, "restart_the_assistant_that_reads")


def test_the_password_of_a_proxy_is_written_and_never_shown(tmp_path: Path) -> None:
    proxy = f"http://anna:{TOKEN}@proxy.example.com:3128"
    done = install(tmp_path, "cursor", "--yes", HTTPS_PROXY=proxy, SSL_CERT_FILE=str(tmp_path / "ca.pem"), **REAL)
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / ".cursor" / "mcp.json").read_bytes())["mcpServers"]["liner"]["env"]
    assert made == {**REAL, "HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    assert_says(done.stdout, "the_password_of_the_proxy_will")


@POSIX
@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_file_that_others_may_read_is_named_when_it_gets_a_token(mode: int, warned: bool, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(b"{}")
    file.chmod(mode)
    sentence = recorded("after_the_change_only_its_owner")
    assert (sentence in install(tmp_path, "cursor", "--dry-run", "--file", str(file), **REAL).stdout) is warned
    assert sentence not in install(tmp_path, "cursor", "--dry-run", "--demo", "--file", str(file)).stdout


def test_without_a_host_it_names_them_all(tmp_path: Path) -> None:
    done = install(tmp_path, "--demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(host in done.stderr for host in HOSTS)


def test_a_second_run_has_nothing_to_change(tmp_path: Path) -> None:
    install(tmp_path, "cursor", "--demo", "--yes")
    before = sorted(path.name for path in (tmp_path / ".cursor").iterdir())
    done = install(tmp_path, "cursor", "--demo")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == recorded("demo_all_data_is_invented_no_liner")
    assert_says(done.stdout.splitlines()[1], "nothing_to_change", at_start=True)
    assert sorted(path.name for path in (tmp_path / ".cursor").iterdir()) == before


def test_a_dry_run_shows_the_change_and_writes_nothing(tmp_path: Path) -> None:
    done = install(tmp_path, "cursor", "--demo", "--dry-run", "--yes")
    assert done.returncode == 0
    assert '+  "liner-demo": {' in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_it_writes_only_when_told(tmp_path: Path) -> None:
    done = install(tmp_path, "cursor", "--demo")
    assert done.returncode == 1
    assert '+  "liner-demo": {' in done.stdout
    assert_says(done.stderr, "add_yes_to_write_it_or")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "set_liner_api_host"),
        ({"LINER_API_HOST": "api.example.com"}, "set_liner_api_token_or_liner"),
        ({"LINER_API_HOST": "http://x.example.com", "LINER_API_TOKEN": TOKEN}, "liner_api_host_cannot_be_used_2"),
        (
            {"LINER_API_HOST": "x.example.com", "LINER_API_TOKEN_FILE": "/no/file"},
            "file_cannot_be_read",
        ),
    ],
    ids=["nothing", "no token", "a bad host", "a missing token file"],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_shown(
    settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    done = install(tmp_path, "cursor", "--yes", **settings)
    assert done.returncode == 1
    assert_says(done.stderr, sentence)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_the_demo_by_its_variable_is_the_demo(tmp_path: Path) -> None:
    done = install(tmp_path, "cursor", "--yes", LINER_MCP_DEMO="true")
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / ".cursor" / "mcp.json").read_bytes())["mcpServers"]["liner-demo"]
    assert made["args"] == ["serve", "--demo"]


REAL = {"LINER_API_HOST": "api.example.com", "LINER_API_TOKEN": TOKEN}
WITH_DEMO = encoded({"mcpServers": {"zeta": {}, "liner-demo": {"command": "x", "env": {"KEY": "0ther-secret"}}}})


def test_the_variable_of_the_demo_is_ignored_beside_an_account_and_never_written(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(encoded({"mcpServers": {"liner": {"command": "old", "env": {"LINER_MCP_DEMO": "true"}}}}))
    done = install(tmp_path, "cursor", "--yes", "--file", str(file), LINER_MCP_DEMO="true", **REAL)
    assert done.returncode == 0, done.stderr
    assert_says(done.stdout, "liner_mcp_demo_is_set_but", at_start=True)
    assert json.loads(file.read_bytes())["mcpServers"]["liner"]["env"] == REAL


def test_the_option_installs_the_demo_though_an_account_is_set_and_writes_none_of_it(tmp_path: Path) -> None:
    done = install(tmp_path, "cursor", "--demo", "--yes", **REAL)
    assert_says(done.stdout.splitlines()[0], "demo_is_given_so_liner_api")
    (made,) = json.loads((tmp_path / ".cursor" / "mcp.json").read_bytes())["mcpServers"].items()
    assert made[0] == "liner-demo"
    assert "env" not in made[1]


@pytest.mark.parametrize("host", list(HOSTS))
def test_yes_takes_the_demo_out_when_the_real_server_is_added_and_says_so(host: str, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(WITH_DEMO.replace(b"mcpServers", HOSTS[host].key.encode()))
    done = install(tmp_path, host, "--yes", "--file", str(file), **REAL)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(file.read_bytes())[HOSTS[host].key]) == ["zeta", "liner"]
    assert_says(done.stdout, "liner_demo_will_be_removed")
    assert '-  "liner-demo": {' in done.stdout
    assert "0ther-secret" not in done.stdout


@pytest.mark.parametrize(("option", "code"), [(("--dry-run",), 0), ((), 1)])
def test_without_being_told_the_demo_is_shown_as_removed_and_stays(
    option: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(WITH_DEMO)
    done = install(tmp_path, "cursor", *option, "--file", str(file), **REAL)
    assert done.returncode == code
    assert '-  "liner-demo": {' in done.stdout
    assert file.read_bytes() == WITH_DEMO


def test_the_demo_is_taken_out_though_the_real_entry_is_there_already(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    install(tmp_path, "cursor", "--yes", "--file", str(file), **REAL)
    beside = install(tmp_path, "cursor", "--yes", "--demo", "--file", str(file))
    assert_says(beside.stdout, "holds_liner_too_the_assistant_will", file=file)
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["liner", "liner-demo"]
    done = install(tmp_path, "cursor", "--yes", "--file", str(file), **REAL)
    assert "Written." in done.stdout
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["liner"]


@POSIX
@pytest.mark.parametrize(
    ("answers", "names", "code"),
    [
        (("y", "y"), ["zeta", "liner"], 0),
        (("n", "y"), ["zeta", "liner-demo", "liner"], 0),
        (("", "y"), ["zeta", "liner-demo", "liner"], 0),
        (("y", "n"), ["zeta", "liner-demo"], 1),
    ],
)
def test_on_a_terminal_a_person_decides_about_the_demo(
    answers: tuple[str, str], names: list[str], code: int, tmp_path: Path
) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(WITH_DEMO)
    questions = (b"Remove liner-demo? [y/N]", b"Write it? [y/N]")
    done, shown = on_a_terminal(tmp_path, ["--file", str(file)], list(zip(questions, answers, strict=True)), **REAL)
    assert done == code
    assert list(json.loads(file.read_bytes())["mcpServers"]) == names
    assert (b'-  "liner-demo": {' in shown) is (answers[0] == "y")


def test_a_broken_file_is_named_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(b'{\n  "mcpServers": {,}\n}\n')
    done = install(tmp_path, "cursor", "--demo", "--yes", "--file", str(file))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "line 2" in done.stderr
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'{\n  "mcpServers": {,}\n}\n']


def test_an_unknown_host_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = install(tmp_path, "notepad", "--demo")
    assert done.returncode == 2
    assert all(host in done.stderr for host in HOSTS)


@POSIX
@pytest.mark.parametrize(("answer", "written", "code"), [("y", True, 0), ("n", False, 1), ("", False, 1)])
def test_on_a_terminal_it_asks_first(answer: str, written: bool, code: int, tmp_path: Path) -> None:
    done, shown = on_a_terminal(tmp_path, ["--demo"], [(b"Write it? [y/N]", answer)])
    assert done == code
    assert b'"liner-demo"' in shown
    assert (tmp_path / ".cursor" / "mcp.json").exists() is written


def on_a_terminal(
    home: Path, options: list[str], answers: list[tuple[bytes, str]], **settings: str
) -> tuple[int, bytes]:
    """Run `install cursor` on a pseudo-terminal and answer each question as it comes: the exit code and the output."""
    import pty

    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "install", "cursor", *options],
        env=environment(home, **settings),
        stdin=its,
        stdout=its,
        stderr=its,
    ) as process:
        os.close(its)
        before = {path: path.read_bytes() for path in home.iterdir()}
        shown = b""
        for question, answer in answers:
            while question not in shown:
                shown += os.read(ours, 1_000)
            assert {path: path.read_bytes() for path in home.iterdir()} == before
            os.write(ours, f"{answer}\n".encode())
        code = process.wait(60)
    os.close(ours)
    return code, shown
