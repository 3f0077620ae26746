"""The query language: `a b` both, `a | b` either (binds tighter), `"a b"` a phrase, `-a` without. Pure.

What it does not have is refused, because a query that is read another way than it was meant finds nothing or too much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from liner_mcp.errors import InvalidArgument
from liner_mcp.search.words import WORD

_QUOTES = str.maketrans("“”„‟«»＂", '"""""""')
_MINUS = "-−–—"
_SEPARATOR = re.compile(r"(?<!\d)[,;]|[,;](?!\d)")  # `12,5` is one number
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
_PART = re.compile(rf'(?P<minus>[{_MINUS}]*)"(?P<phrase>[^"]*)"|(?P<either>\|)|(?P<plain>[^\s"|]+)')
_OPERATORS = {"NOT": "-a"}
_EXCLAMATION = re.compile(r"!\w")  # `!a` means without a in other languages
# In any case: as words to find they would exclude nearly every text, so they are hardly meant.
_CONJUNCTIONS = {"or": "a | b", "или": "a | b", "and": "a b", "и": "a b"}
_MISPLACED_EITHER = "mentions: | is misplaced; write it between two words, as in a | b; -a cannot be one of them."
_UNUSED = re.compile(r"[()*]")

Phrase = tuple[str, ...]
"""Words that stand together in this order; a single word too."""


@dataclass(frozen=True, slots=True)
class Query:
    """Every group of `wanted` by one of its phrases, and no phrase of `unwanted`."""

    wanted: tuple[tuple[Phrase, ...], ...] = ()
    unwanted: tuple[Phrase, ...] = ()

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        return (*(phrase for group in self.wanted for phrase in group), *self.unwanted)


def parse_query(text: str) -> Query:
    """Read a query.

    Raises: InvalidArgument for what has no word or is not of the language, in one sentence.
    """
    plain = _POSSESSIVE.sub("", text.translate(_QUOTES))
    if plain.count('"') % 2:
        raise InvalidArgument('mentions: a quotation mark is not closed; write a phrase as "first payment".')
    outside = re.sub(r'"[^"]*"', '""', plain)
    if unused := _UNUSED.search(outside):
        raise InvalidArgument(
            f"mentions has no {unused[0]}: words are found in all their forms, and | binds tighter than a space, so "
            "a | b c means c with a or b."
        )
    found = _Parts()
    for part in _PART.finditer(_SEPARATOR.sub(" ", plain)):
        if part["either"]:
            found.join()
        else:
            found.add(part)
    return found.query()


class _Parts:
    """The parts of a query, read from left to right."""

    def __init__(self) -> None:
        self._wanted: list[tuple[Phrase, ...]] = []
        self._unwanted: list[Phrase] = []
        self._joined = False  # by a | that waits for its second word
        self._may_join = False  # the last part can stand before a |

    def join(self) -> None:
        """Read a |."""
        if not self._may_join:
            raise InvalidArgument(_MISPLACED_EITHER)
        self._joined, self._may_join = True, False

    def add(self, part: re.Match[str]) -> None:
        """Read a word or a phrase. Words without a space between them are a phrase."""
        word = part["plain"] or ""
        if instead := _OPERATORS.get(word) or _CONJUNCTIONS.get(word.casefold()):
            raise InvalidArgument(f"mentions has no {word}: write {instead} instead.")
        if _EXCLAMATION.match(word):
            raise InvalidArgument("mentions has no !: write -a instead.")
        quoted = part["phrase"] is not None
        phrase = tuple(WORD.findall(part["phrase"] if quoted else part["plain"]))
        minus = bool(part["minus"]) if quoted else part["plain"][0] in _MINUS
        if not phrase and (minus or quoted):
            raise InvalidArgument(
                'mentions: - or "" is misplaced; a word must stand directly after - and inside quotation marks.'
            )
        if not phrase:
            return  # a sign between two words
        if minus and self._joined:
            raise InvalidArgument(_MISPLACED_EITHER)
        if minus:
            self._unwanted.append(phrase)
        elif self._joined:
            self._wanted[-1] = (*self._wanted[-1], phrase)
        else:
            self._wanted.append((phrase,))
        self._joined, self._may_join = False, not minus

    def query(self) -> Query:
        if self._joined:
            raise InvalidArgument(_MISPLACED_EITHER)
        if not self._wanted and not self._unwanted:
            raise InvalidArgument("mentions holds no word: send words to look for, for example ипотека | ипотечный.")
        return Query(tuple(self._wanted), tuple(self._unwanted))
