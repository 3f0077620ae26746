"""Whether a text mentions what a query says, and where. Pure; the text is as it is shown, cleaned and masked."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from liner_mcp.search.query import Phrase, parse_query
from liner_mcp.search.word_forms import is_russian, knows_forms, stems_of
from liner_mcp.search.words import WORD, stem, uncached_stems

WORDS_PER_STEP = 50  # two milliseconds, if no stem is cached
WORK_PER_STEP, WORK_PER_STEM, WORDS_PER_WORK = 6, 4, 20  # in units of ten microseconds, as masking counts work
MOST_HITS = 200  # of one text, shared by the phrases: a passage is cut from them in one go, in some milliseconds

Hit = tuple[int, int, int]
"""The group of the query, and where the hit begins and ends in the text."""

_StemPhrase = tuple[frozenset[str], ...]
_FoundWord = tuple[str, int, int]
"""A word of the query in a text, by its place among all words: its stem, and where it begins and ends."""


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A query with the stems of all forms of its words. `fewer_forms`: Russian words without their irregular forms."""

    wanted: tuple[tuple[_StemPhrase, ...], ...]
    unwanted: tuple[_StemPhrase, ...]
    stems: frozenset[str]
    fewer_forms: bool


@dataclass(frozen=True, slots=True)
class Match:
    """What one text says: whether it has all that is wanted, something that is unwanted, and the hits in order.

    Without anything wanted, every text has all of it.
    """

    wanted: bool
    unwanted: bool
    hits: tuple[Hit, ...] = ()


@lru_cache(256)
def compile_query(text: str) -> CompiledQuery:
    """Read a query and look up the forms of its words. Call it in a thread, see `stems_of`.

    Raises: InvalidArgument as `parse_query`.
    """
    query = parse_query(text)
    words = [word for phrase in query.phrases for word in phrase]
    return CompiledQuery(
        tuple(tuple(map(_stems, group)) for group in query.wanted),
        tuple(map(_stems, query.unwanted)),
        frozenset(one for word in words for one in stems_of(word)),
        fewer_forms=any(map(is_russian, words)) and not knows_forms(),
    )


def _stems(phrase: Phrase) -> _StemPhrase:
    return tuple(map(stems_of, phrase))


def match_steps(query: CompiledQuery, text: str) -> Generator[int, None, Match]:
    """Match a text of any length in steps. Each yields the work since the last one, see `text.masking_steps`."""
    found: dict[int, _FoundWord] = {}
    words = enumerate(WORD.finditer(text))
    while batch := list(islice(words, WORDS_PER_STEP)):
        computed = uncached_stems()
        for index, word in batch:
            if (one := stem(word[0])) in query.stems:
                found[index] = (one, *word.span())
        yield WORK_PER_STEP + WORK_PER_STEM * (uncached_stems() - computed)
    work = 1 + len(found) // WORDS_PER_WORK
    most = max(1, MOST_HITS // max(1, sum(map(len, query.wanted))))
    hits: list[Hit] = []
    for group, phrases in enumerate(query.wanted):
        before = len(hits)
        for phrase in phrases:
            hits += [(group, *span) for span in islice(_spans(phrase, found), most)]
            yield work
        if len(hits) == before:
            hits, has_all = [], False
            break
    else:
        has_all = True
    has_unwanted = False
    for phrase in query.unwanted:
        has_unwanted = has_unwanted or any(_spans(phrase, found))
        yield work
    return Match(has_all, has_unwanted, tuple(sorted(hits, key=lambda hit: hit[1:])))


def _spans(phrase: _StemPhrase, found: Mapping[int, _FoundWord]) -> Iterator[tuple[int, int]]:
    """Where the phrase stands: its words one after the other."""
    for index, (_, start, end) in found.items():
        for place, stems in enumerate(phrase):
            word = found.get(index + place)
            if word is None or word[0] not in stems:
                break
            end = word[2]  # noqa: PLW2901 - of the last word of the phrase
        else:
            yield start, end
