"""An archive in each of the two databases."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from liner_mcp.archive.connection import Location
from tests.support.postgres import shared_server

NewArchive = Callable[[], Location]
"""Where another archive can be made."""


@pytest.fixture(params=["sqlite", "postgres"])
def new_archive(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[NewArchive]:
    """Places for archives: files, each in a folder of its own, or empty databases."""
    made: list[Location] = []

    def new() -> Location:
        if request.param == "sqlite":
            made.append(tmp_path / f"archive-{len(made)}" / "calls.db")
        else:
            made.append(shared_server().new_database())
        return made[-1]

    yield new
    for one in made:
        if not isinstance(one, Path):
            shared_server().drop(one)


@pytest.fixture
def path(new_archive: NewArchive) -> Location:
    """Where no archive is yet."""
    return new_archive()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The same for what concerns files only."""
    return tmp_path / "archive" / "calls.db"
