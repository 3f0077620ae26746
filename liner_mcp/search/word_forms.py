"""The stems of all forms of a word. Stems alone find four of five Russian forms: `дети` and `ребёнок` share none.

`pymorphy3` knows the forms. It is optional and takes half a second and 40 MB to load, so the first search loads it, in
a thread.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import import_module
from threading import Lock
from typing import Any

from liner_mcp.search.words import fold, stem

# What a parse must have of the likelihood: a rarer one is another word that happens to have this form.
MIN_SCORE = 0.05
MOST_PARSES = 3
# `хотя` is a gerund of `хотеть`, and most participles have become adjectives with a meaning of their own.
_VERBAL = frozenset({"GRND", "PRTF", "PRTS"})
_CYRILLIC = re.compile("[а-я]")
_LOCK = Lock()  # one thread loads the dictionary


@cache
def load_analyzer() -> Any:
    """The analyzer of Russian words; None where it is not installed."""
    try:
        return import_module("pymorphy3").MorphAnalyzer()
    except ImportError:
        return None


def _analyzer() -> Any:
    with _LOCK:
        return load_analyzer()


def knows_forms() -> bool:
    """Whether forms that share no stem are found too."""
    return _analyzer() is not None


def is_russian(word: str) -> bool:
    """Whether the forms of a word are Russian ones."""
    return _CYRILLIC.search(fold(word)) is not None


@lru_cache(2_000)
def stems_of(word: str) -> frozenset[str]:
    """The stems of a word and of its forms. Call it in a thread: the first one loads the dictionary."""
    stems = {stem(word)}
    if is_russian(word) and (analyzer := _analyzer()) is not None:
        for parse in analyzer.parse(fold(word))[:MOST_PARSES]:
            if parse.score >= MIN_SCORE:
                stems |= {stem(form.word) for form in parse.lexeme if _is_form_of(form.tag, parse.tag)}
    return frozenset(stems)


def _is_form_of(form: Any, word: Any) -> bool:
    """Whether a form of the dictionary's lexeme is a form of this word. A verb has no participles here, and a
    participle only those of its own tense and voice.
    """
    if word.POS == "GRND":
        return False
    if word.POS in _VERBAL:
        return form.POS in ("PRTF", "PRTS") and (form.tense, form.voice) == (word.tense, word.voice)
    return form.POS not in _VERBAL
