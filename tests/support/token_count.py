"""Counting tokens exactly: the o200k vocabulary ships inside the `rs-bpe` wheel, so no network is needed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def _o200k() -> Any:
    return import_module("rs_bpe.bpe").openai.o200k_base()


def count_tokens(text: str) -> int:
    """Tokens of `text` as o200k counts them."""
    return len(_o200k().encode(text))
