"""A server on which pymorphy3 is not installed."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from liner_mcp.search.matching import compile_query
from liner_mcp.search.word_forms import load_analyzer, stems_of


@contextmanager
def without_pymorphy3() -> Generator[None]:
    """Its import fails inside, and nothing that was looked up with it is remembered."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "pymorphy3", None)
            _forget()
            yield
    finally:
        _forget()


def _forget() -> None:
    for each in (compile_query, stems_of, load_analyzer):
        each.cache_clear()
