"""Words of a text and their stems. Pure.

A word and its forms have to become the same stem, however they are written: ё or е, with a stress mark, or with a Latin
letter in place of the Cyrillic one that looks the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import Any

# Letters and digits are separate words: `15млн` is read as `15 млн`. Combining accents belong to their letter.
WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*|\d+")

LONGEST_WORD = 64  # characters; no word is longer, and stems of endless ones would fill the cache
CACHED_STEMS = 50_000  # different words; a year of summaries has fewer, and they take about 10 MB

_LATIN, _CYRILLIC = "aceopxykmthb", "асеорхукмтнв"  # what looks the same, in lower case
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_UNCHANGED = frozenset({"хотя"})  # words that are no verb, although they end like one: `хотят` has the stem of `хотя`
_STEMMERS: Any = import_module("snowballstemmer")  # it has no types
_RUSSIAN, _ENGLISH = _STEMMERS.stemmer("russian"), _STEMMERS.stemmer("english")
_LOCK = Lock()  # a stemmer holds the word it works on, and query words are stemmed in another thread


def fold(word: str) -> str:
    """A word without the differences of spelling that do not matter."""
    if word.isascii():
        return word.lower()
    folded = "".join(map(_without_accents, unicodedata.normalize("NFKC", word).casefold()))
    latin = {letter for letter in folded if letter.isascii()}
    cyrillic = {letter for letter in folded if "а" <= letter <= "я"}
    if latin and cyrillic:
        if latin <= set(_LATIN):
            return folded.translate(_TO_CYRILLIC)
        if cyrillic <= set(_CYRILLIC):
            return folded.translate(_TO_LATIN)
    return folded


def _without_accents(letter: str) -> str:
    """ё becomes е, and a stress mark nothing; й is a letter of its own."""
    base, *accents = unicodedata.normalize("NFD", letter)
    if letter == "й" or not all(unicodedata.category(one) == "Mn" for one in accents):
        return letter
    return "" if unicodedata.category(base) == "Mn" else base


@lru_cache(CACHED_STEMS)
def _stem(word: str) -> str:
    folded = fold(word)
    if folded in _UNCHANGED:
        return folded
    with _LOCK:
        return str((_ENGLISH if folded.isascii() else _RUSSIAN).stemWord(folded))


def stem(word: str) -> str:
    """The stem of one word. A stem must not be stemmed again: that changes a quarter of them."""
    return _stem(word) if len(word) <= LONGEST_WORD else word[:LONGEST_WORD]


def uncached_stems() -> int:
    """How many stems were computed so far; a cached one costs a hundredth."""
    return _stem.cache_info().misses
