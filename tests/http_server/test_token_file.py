"""The file of tokens: what may stand in it, what happens when it changes, and the command that makes a token."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.cli.tokens import add_token_line, create_token
from liner_mcp.errors import SettingsError, SetupError
from liner_mcp.http_server.auth.bearer import INVALID, Rejection
from liner_mcp.http_server.auth.token_file import InvalidFile, TokenEntry, TokenFile, parse_entries, token_owner
from liner_mcp.server.caller import Caller
from tests.support.sentences import assert_says, error_says, recorded

posix = pytest.mark.skipif(os.name != "posix", reason="rights of this kind exist on POSIX systems only")


def line_of(name: str, token: str) -> str:
    return f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"


ANNA, BORIS = line_of("anna", "lmcp_anna"), line_of("boris", "lmcp_boris")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good file with the tokens of Anna and Boris."""
    path = tmp_path / "tokens"
    path.write_text(f"{ANNA}\n{BORIS}\n")
    path.chmod(0o600)
    return path


def who(tokens: TokenFile, token: str) -> Caller | Rejection:
    """What one request gets to hear."""
    return anyio.run(tokens.identify, token)


Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """What was logged since it was last asked for; all of it must be warnings."""

    def since() -> list[str]:
        assert {record.levelno for record in caplog.records} <= {logging.WARNING}
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    return since


# What may stand in it --------------------------------------------------------------------------------------------


def test_names_hashes_comments_and_blank_lines_are_read() -> None:
    content = f"\ufeff# who may come in\r\n\r\n  {ANNA}  \r\n\t# {BORIS}\nboris : {'AB' * 32}".encode()
    assert parse_entries(content) == [
        TokenEntry("anna", hashlib.sha256(b"lmcp_anna").digest()),
        TokenEntry("boris", b"\xab" * 32),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "lmcp_secret",
        "anna:lmcp_secret",
        f"anna:{'a' * 63}",
        f"anna:{'a' * 65}",
        f"anna:{'g' * 64}",
        f":{'a' * 64}",
        f"an na:{'a' * 64}",
        f"{'n' * 65}:{'a' * 64}",
        f"анна:{'a' * 64}",
        f"anna:x:{'a' * 64}",
        f"anna:{'a' * 64} # secret",
        f"anna:{'٣' * 64}",
        "\x00\xff",
    ],
)
def test_a_line_that_is_no_entry_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_entries(f"{ANNA}\n{line}\n".encode())
    assert str(caught.value) == recorded("line_2_is_not_name_sha256")


def test_a_name_may_stand_twice_while_one_token_replaces_the_other_and_not_three_times() -> None:
    lines = [line_of("anna", token) for token in ("old", "new", "newest")]
    assert [entry.name for entry in parse_entries("\n".join(lines[:2]).encode())] == ["anna", "anna"]
    with pytest.raises(InvalidFile, check=error_says("line_3_is_a_third_token")):
        parse_entries("\n".join(lines).encode())


def test_one_token_cannot_be_two_peoples() -> None:
    with pytest.raises(InvalidFile, check=error_says("line_2_holds_the_same_token")):
        parse_entries(f"{ANNA}\n{line_of('boris', 'lmcp_anna').upper().replace('BORIS', 'boris')}".encode())


@given(st.binary())
def test_any_content_is_read_or_refused(content: bytes) -> None:
    try:
        entries = parse_entries(content)
    except InvalidFile as error:
        assert re.match(r"line \d+ ", str(error))  # noqa: PT017 - most contents are refused, some are read
    else:
        assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", entry.name) for entry in entries)


def test_every_entry_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", counting)
    entries = parse_entries(f"{ANNA}\n{BORIS}".encode())
    for token, owner in (("lmcp_anna", "anna"), ("lmcp_boris", "boris"), ("lmcp_none", None)):
        compared.clear()
        assert token_owner(token, entries) == owner
        assert compared == [entry.digest for entry in entries]


# While serving ---------------------------------------------------------------------------------------------------


def test_a_token_lets_its_owner_in_and_no_other(file: Path, said: Said) -> None:
    tokens = TokenFile(file)
    assert who(tokens, "lmcp_anna") == Caller("anna")
    assert who(tokens, "lmcp_boris") == Caller("boris")
    assert who(tokens, "lmcp_carla") == INVALID
    assert who(tokens, hashlib.sha256(b"lmcp_anna").hexdigest()) == INVALID
    assert who(tokens, "anna") == INVALID
    assert said() == []


def test_a_line_taken_out_locks_its_token_out_with_the_next_request(file: Path, said: Said) -> None:
    tokens = TokenFile(file)
    assert who(tokens, "lmcp_anna") == Caller("anna")
    file.write_text(f"{BORIS}\n")
    assert who(tokens, "lmcp_anna") == INVALID
    assert who(tokens, "lmcp_boris") == Caller("boris")
    file.write_text("")
    assert who(tokens, "lmcp_boris") == INVALID
    assert said() == []


def test_a_file_of_the_same_size_and_time_in_its_place_is_noticed(file: Path) -> None:
    tokens = TokenFile(file)
    before = file.stat()
    other = file.with_name("other")
    other.write_text(f"{ANNA}\n{line_of('boris', 'lmcp_other')}\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert who(tokens, "lmcp_boris") == INVALID
    assert who(tokens, "lmcp_other") == Caller("boris")


def test_the_old_and_the_new_token_of_a_name_work_side_by_side(file: Path) -> None:
    tokens = TokenFile(file)
    file.write_text(f"{ANNA}\n{line_of('anna', 'lmcp_new')}\n")
    assert who(tokens, "lmcp_anna") == who(tokens, "lmcp_new") == Caller("anna")


def test_an_unchanged_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = TokenFile(file)

    def refuse(*_: Any) -> Any:
        raise AssertionError("the file was opened again")

    monkeypatch.setattr(Path, "open", refuse)
    assert who(tokens, "lmcp_anna") == Caller("anna")


def test_a_file_that_goes_away_keeps_the_last_good_tokens_and_says_so_once(file: Path, said: Said) -> None:
    tokens = TokenFile(file)
    file.rename(file.with_name("elsewhere"))
    for _ in range(3):
        assert who(tokens, "lmcp_anna") == Caller("anna")
        assert who(tokens, "lmcp_carla") == INVALID
    (once,) = said()
    assert once == (recorded("liner_mcp_tokens_file_cannot_be_used", path=file))
    file.mkdir()
    assert who(tokens, "lmcp_anna") == Caller("anna")
    assert_says(said()[0], "it_is_not_a_file")
    file.rmdir()
    file.write_text(f"{BORIS}\n")
    file.chmod(0o600)
    assert who(tokens, "lmcp_anna") == INVALID
    assert said() == [recorded("liner_mcp_tokens_file_can_be")]


def test_a_broken_line_keeps_the_last_good_tokens_and_names_the_line_only(file: Path, said: Said) -> None:
    tokens = TokenFile(file)
    file.write_text(f"{BORIS}\nanna:lmcp_anna_in_clear\n")
    for _ in range(3):
        assert who(tokens, "lmcp_anna") == Caller("anna")
    (once,) = said()
    assert_says(once, "line_2_is_not_name_sha256_2")
    assert "lmcp" not in once.replace("liner-mcp", "")
    file.write_text(f"anna:lmcp_anna_in_clear\n{BORIS}\n")
    assert who(tokens, "lmcp_anna") == Caller("anna")
    assert_says(said()[0], "line_1_is_not_name_sha256")


def test_what_could_not_be_read_is_tried_again_though_nothing_changed(
    file: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = TokenFile(file)
    file.write_text(f"{BORIS}\n")

    def refuse(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert who(tokens, "lmcp_anna") == Caller("anna")
    assert who(tokens, "lmcp_anna") == INVALID
    assert len(said()) == 2


def test_a_file_without_tokens_refuses_everyone_and_says_so_at_start(file: Path, said: Said) -> None:
    file.write_text("# nobody yet\n")
    tokens = TokenFile(file)
    assert said() == [recorded("liner_mcp_tokens_file_holds_no")]
    assert who(tokens, "lmcp_anna") == INVALID


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# x\nlmcp_secret\n", recorded("line_2_is_not_name_sha256")),
        (b"\n" * 1_000_001, recorded("it_has_more_than_1_000")),
        (None, recorded("it_cannot_be_read_no_such")),
    ],
    ids=["broken", "too large", "missing"],
)
def test_a_file_that_cannot_be_used_at_start_is_a_sentence(file: Path, content: bytes | None, reason: str) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        TokenFile(file)
    assert str(caught.value) == recorded("liner_mcp_tokens_file_cannot_be_used_2", reason=reason.format(path=file))


@pytest.mark.parametrize("path", ["~no-such-user-here/tokens", "nul\x00l", "."])
def test_a_path_that_is_none_is_a_sentence(path: str) -> None:
    with pytest.raises(SettingsError, match=r"LINER_MCP_TOKENS_FILE cannot be used: it .*is not a (path\)|file)\."):
        TokenFile(Path(path))


@posix
@pytest.mark.parametrize(
    ("mode", "word"), [(0o600, None), (0o640, None), (0o644, "can be read"), (0o622, "written"), (0o620, "written")]
)
def test_rights_that_let_others_in_are_worth_a_warning(file: Path, said: Said, mode: int, word: str | None) -> None:
    file.chmod(mode)
    tokens = TokenFile(file)
    warnings = said()
    assert len(warnings) == (word is not None)
    assert word is None or word in warnings[0]
    who(tokens, "lmcp_anna")
    assert said() == []


@posix
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, check=error_says("it_is_not_a_file")):
        TokenFile(tmp_path / "pipe")


# Making a token --------------------------------------------------------------------------------------------------


def test_a_token_can_be_recognised_and_is_not_in_its_line() -> None:
    token, line = create_token("anna")
    assert re.fullmatch(r"lmcp_[A-Za-z0-9_-]{43}", token)
    assert line == line_of("anna", token)
    assert create_token("anna")[0] != token


@pytest.mark.parametrize("name", ["", "an na", "анна", "a:b", "a\nb", "n" * 65, "#anna"])
def test_a_name_that_cannot_stand_in_the_file_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(SetupError, check=error_says("a_name_has_1_to_64", at_start=True)):
        create_token(name)


@pytest.mark.parametrize("before", [b"", ANNA.encode(), f"{ANNA}\r\n# end\r\n".encode()])
def test_a_line_is_added_at_the_end_and_nothing_else_changes(file: Path, before: bytes) -> None:
    file.write_bytes(before)
    assert add_token_line(file, BORIS, rotate=False) == 1
    after = file.read_bytes()
    assert after.startswith(before)
    assert after.splitlines()[-1] == BORIS.encode()
    assert [entry.name for entry in parse_entries(after)][-1] == "boris"
    assert [path.name for path in file.parent.iterdir()] == ["tokens"]


@posix
def test_a_new_file_is_its_owners_alone_and_another_keeps_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    add_token_line(file, ANNA, rotate=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    add_token_line(file, BORIS, rotate=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give a file to another user")
def test_the_owner_of_a_file_stays_its_owner(file: Path) -> None:
    os.chown(file, 1234, 1234)
    add_token_line(file, line_of("carla", "lmcp_carla"), rotate=False)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1234)


@posix
def test_a_link_stays_a_link(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    add_token_line(link, line_of("carla", "lmcp_carla"), rotate=False)
    assert link.is_symlink()
    assert len(parse_entries(file.read_bytes())) == 3


def test_a_taken_name_needs_a_word_and_a_third_token_is_refused(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(SetupError, check=error_says("anna_has_a_token_in_liner", at_start=True)):
        add_token_line(file, line_of("anna", "lmcp_new"), rotate=False)
    assert file.read_bytes() == before
    assert add_token_line(file, line_of("anna", "lmcp_new"), rotate=True) == 2
    with pytest.raises(SetupError, check=error_says("anna_has_two_tokens_in_liner", at_start=True)):
        add_token_line(file, line_of("anna", "lmcp_newest"), rotate=True)


@pytest.mark.parametrize("name", ["missing/tokens", ".", "nul\x00l"])
def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError, check=error_says("liner_mcp_tokens_file_cannot_be_written", at_start=True)):
        add_token_line(tmp_path / name, ANNA, rotate=False)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_not_added_to(file: Path) -> None:
    file.write_text("lmcp_secret\n")
    with pytest.raises(SetupError, check=error_says("cannot_be_added_to_line_1")):
        add_token_line(file, ANNA, rotate=False)
    assert file.read_text() == "lmcp_secret\n"


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "liner_mcp", "token", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_adds_a_token_that_works_and_shows_it_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    done = run("anna", "--add", LINER_MCP_TOKENS_FILE=str(file))
    assert done.returncode == 0, done.stderr
    (token,) = done.stdout.splitlines()
    assert token not in done.stderr
    assert token not in file.read_text()
    assert who(TokenFile(file), token) == Caller("anna")
    again = run("anna", "--add", "--rotate", LINER_MCP_TOKENS_FILE=str(file))
    assert again.returncode == 0
    assert_says(again.stderr, "the_old_one_works_too_until")
    refused = run("anna", "--add", LINER_MCP_TOKENS_FILE=str(file))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert_says(refused.stderr, "anna_has_two_tokens", at_start=True)


def test_without_add_the_command_shows_the_line_and_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    done = run("anna", LINER_MCP_TOKENS_FILE=str(file))
    token, line = done.stdout.splitlines()
    assert line == line_of("anna", token)
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "code"), [(("an na",), 2), (("anna", "--add"), 1), (("anna", "--rotate"), 2), (("--add",), 2)]
)
def test_the_command_refuses_and_makes_nothing(arguments: tuple[str, ...], code: int) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    if arguments == ("--add",):
        return  # the parser of the command line adds its usage
    assert len(done.stderr.splitlines()) == 1
