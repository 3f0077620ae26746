"""A file that changes while it is in force: read anew when it does, and the last good content when it cannot be."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from liner_mcp.errors import SettingsError
from liner_mcp.reloading_file import MAX_FILE_BYTES, InvalidFile, ReloadingFile


def upper(content: bytes) -> str:
    if content.startswith(b"!"):
        raise InvalidFile("line 1 is not a word")
    return content.decode().upper()


def watched(path: Path) -> ReloadingFile[str]:
    return ReloadingFile("THE_FILE", path, upper)


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    reads: list[bytes] = []
    file = ReloadingFile("THE_FILE", path, lambda content: reads.append(content) or len(reads))
    assert [file.content(), file.content()] == [1, 1]
    path.write_text("another")
    assert [file.content(), file.content()] == [2, 2]
    assert reads == [b"one", b"another"]


def test_a_replaced_file_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("one")
    file = watched(path)
    other.write_text("two")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert file.content() == "TWO"


@pytest.mark.parametrize("how", ["broken", "gone", "too large", "a folder"])
def test_what_cannot_be_used_leaves_the_last_good_content_and_is_told_once(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    path.write_text("good")
    file = watched(path)
    path.unlink()
    if how == "broken":
        path.write_text("!secret")
    elif how == "too large":
        path.write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    elif how == "a folder":
        path.mkdir()
    with caplog.at_level(logging.WARNING):
        assert [file.content() for _ in range(3)] == ["GOOD"] * 3
        if how == "a folder":
            path.rmdir()
        path.write_text("well again")
        assert file.content() == "WELL AGAIN"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith("THE_FILE cannot be used: ")
    assert told[0].endswith("Its last valid content stays in force.")
    assert told[1] == "THE_FILE can be used again and is in force."
    assert "secret" not in told[0]


@pytest.mark.parametrize("content", [None, b"!secret", b"x" * (MAX_FILE_BYTES + 1)], ids=["none", "broken", "large"])
def test_at_the_start_it_must_be_usable(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^THE_FILE cannot be used: .+\.$") as caught:
        watched(path)
    assert "secret" not in str(caught.value)


def test_a_user_that_no_one_is_is_no_path() -> None:
    with pytest.raises(SettingsError, match=r"it cannot be read \(it is not a path\)"):
        watched(Path("~nobody-of-that-name/file"))
