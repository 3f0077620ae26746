"""Resolves names to ids. Pure.

An exact match wins, then the beginning of a name, then a part of it, then its words in any order. Differences that a
person does not see or does not type do not matter, see `normalize_name`. A name that fits several candidates is refused
with a list of them, because a guess could answer another question.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest

from liner_mcp.errors import InvalidArgument
from liner_mcp.input_limits import MAX_TEXT
from liner_mcp.text.clean import clean
from liner_mcp.text.mask import quote_input

MAX_CANDIDATES = 8  # candidates in a refusal: enough to recognise the right one, short enough to read
MAX_QUOTED = 40  # characters of a name in an error
MOST_COMPARED = 50  # names that a misspelt one is compared with in full, which takes less than a millisecond

CACHED_NAMES = 32_768  # normalized ones: three for each of ten thousand agents, in some 10 MB
CANDIDATES_PER_WORK = 30  # that a name is compared with in ten microseconds
BETWEEN_NAMES = "\n"  # of one entry; a normalized name has no line breaks

_APOSTROPHES = "'’‘‛ʼʻʽˈʹ`´′‵"
_QUOTATION_MARKS = '"“”„‟«»‹›″〝〞〟'
DASHES = "-‐‑‒–—―−⁃˗﹘"
_EQUAL = str.maketrans(
    {
        **dict.fromkeys(_APOSTROPHES),  # left out by some people
        **dict.fromkeys(f"{_QUOTATION_MARKS}{DASHES}()_", " "),  # hosts that split at spaces get _ for a space
        "ё": "е",
        "ë": "e",
        "ı": "i",
        "\u0307": None,  # what remains of İ
    }
)
_LATIN, _CYRILLIC = "abcehikmopstxyj", "авсенікморѕтхуј"  # letters that look alike in small or in capitals
_TO_CYRILLIC, _TO_LATIN = str.maketrans(_LATIN, _CYRILLIC), str.maketrans(_CYRILLIC, _LATIN)
_LATIN_LETTER, _CYRILLIC_LETTER = re.compile("[a-z]"), re.compile("[а-яіѕј]")
_WORD = re.compile(r"[\w\u0300-\u036f]+")  # with marks that have no letter of their own with the letter before


class UnknownName(InvalidArgument):
    """A name or an id that a dictionary does not have. A dictionary that is read again may have it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something with a name. A group of agents has several `ids`, or None where its agents are not known. `aliases`
    are its other names.
    """

    ids: tuple[int, ...] | None
    name: str
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with its id, or with the number of agents."""
        if self.ids is None:
            return f"{self.name} (unknown agents)"
        suffix = f"#{self.ids[0]}" if len(self.ids) == 1 else f"{len(self.ids)} agents"
        return self.name if self.name.endswith(suffix) else f"{self.name} ({suffix})"


class Candidates:
    """What a name may mean. The candidates are normalized once, because a request may hold a hundred names.

    `doubt`: why there may be others, as a clause; empty when these are all.
    """

    def __init__(self, candidates: Iterable[Candidate], *, doubt: str = "") -> None:
        self.all: list[Candidate] = []
        self.doubt = doubt
        self._labelled: dict[str, list[Candidate]] = {}
        self._named: dict[str, list[Candidate]] = {}
        self._joined: list[tuple[Candidate, str]] = []
        self.add(candidates)

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Add some more: thousands at once would take too long."""
        for candidate in candidates:
            self.all.append(candidate)
            texts = [normalize_name(text) for text in (candidate.name, *candidate.aliases) if text]
            self._joined.append((candidate, join_names(texts)))
            for text in dict.fromkeys(texts):
                self._named.setdefault(text, []).append(candidate)
            label = normalize_name(candidate.label)
            for text in {label, f"#{candidate.ids[0]}" if candidate.ids else label}:
                self._labelled.setdefault(text, []).append(candidate)

    def is_name(self, wanted: str) -> bool:
        """Whether a candidate has this normalized name, whole."""
        return wanted in self._named

    def fitting(self, wanted: str) -> list[Candidate]:
        """The candidates that the normalized name fits best, if any."""
        if whole := self._labelled.get(wanted) or self._named.get(wanted):
            return whole
        beginning = BETWEEN_NAMES + wanted
        return (
            [candidate for candidate, names in self._joined if beginning in names]
            or [candidate for candidate, names in self._joined if wanted in names]
            or [candidate for candidate, names in self._joined if contains(wanted, names)]
        )

    def near(self, wanted: str) -> list[Candidate]:
        """The candidates that a misspelt name may mean, the most similar first."""
        found = closest(wanted, self._named, MAX_CANDIDATES, cutoff=0.5)
        return list({id(self._named[text][-1]): self._named[text][-1] for text in found}.values())


def resolve_ids_steps(
    argument: str, requested: Sequence[int | str], candidates: Candidates
) -> Generator[int, None, tuple[int, ...]]:
    """The ids of the requested names, each once, in their order. A number is an id, and a text may be several names.
    Each step is one name, and yields its work as masking counts it.

    Raises: InvalidArgument with the argument and the candidates, for a name that fits none or several, or a group whose
    agents are not known.
    """
    found: dict[int, None] = {}
    for item in split_names(requested, candidates):
        ids = (item,) if isinstance(item, int) else resolve_name(argument, item, candidates).ids
        if ids is None:
            quoted = quote_input(str(item), MAX_QUOTED)
            raise UnknownName(
                f'{argument}: "{quoted}" is an agent group, and Liner does not send its agents. Send the agents by '
                "name or id."
            )
        found.update(dict.fromkeys(ids))
        yield 1 if isinstance(item, int) else 1 + len(candidates.all) // CANDIDATES_PER_WORK
    return tuple(found)


def split_names(requested: Sequence[int | str], candidates: Candidates) -> Sequence[int | str]:
    """The names in a single text such as "Anna Petrova, Boris Ivanov; 31". A name that has a comma itself stays whole,
    and so does "Petrova, Anna".
    """
    if len(requested) != 1 or not isinstance(text := requested[0], str):
        return requested
    parts = names_in(text)
    if not parts or candidates.fitting(normalize_name(text)):
        return requested
    joined = " ".join(parts)
    if candidates.is_name(normalize_name(joined)):
        return [joined]
    return [int(part) if part.isascii() and part.isdigit() else part for part in parts]


def names_in(text: str) -> list[str]:
    """The parts of a text between commas and semicolons, in brackets or without, that have a letter or a digit."""
    return [part.strip() for part in re.split("[,;]", text.strip(" []")) if normalize_name(part)]


def resolve_name(argument: str, name: str, candidates: Candidates) -> Candidate:
    """The candidate that a name means. Raises: UnknownName if it fits none, InvalidArgument if it fits several."""
    if len(name) > MAX_TEXT:
        raise InvalidArgument(f'{argument}: nothing is called "{quote_input(name, MAX_QUOTED)}"; no name is as long.')
    wanted = normalize_name(name)
    if not wanted:
        raise InvalidArgument(describe_empty_name(argument, name))
    fitting = candidates.fitting(wanted)
    if len(fitting) == 1:
        return fitting[0]
    quoted = quote_input(name, MAX_QUOTED)
    if fitting:
        least = "at least " if candidates.doubt else ""
        raise InvalidArgument(
            f'{argument}: "{quoted}" fits {least}{len(fitting)}: {_format_candidates(fitting)}. '
            "Send an id, all of the ids, or more of the name."
        )
    if candidates.doubt:
        remedy = "its code" if argument == "statuses" else "ids"
        raise UnknownName(
            f'{argument}: "{quoted}" is none of the names that were read, but {candidates.doubt}, so it may be right. '
            f"Send {remedy}, or ask again later.{_near_names(wanted, candidates)}"
        )
    raise UnknownName(f'{argument}: nothing is called "{quoted}". {_suggestions(wanted, candidates)}')


def describe_empty_name(argument: str, name: str) -> str:
    """The refusal of a text of which nothing is compared; it would fit every name."""
    return f'{argument}: "{quote_input(name, MAX_QUOTED)}" has no letter or digit. Send a name, a part of it, or an id.'


def closest(wanted: str, texts: Iterable[str], most: int, cutoff: float) -> list[str]:
    """The texts that are most similar to `wanted`. Only those with the most pairs of letters in common are compared."""
    pairs = {wanted[start : start + 2] for start in range(len(wanted) - 1)}
    likely = nlargest(MOST_COMPARED, texts, key=lambda text: sum([pair in text for pair in pairs]))
    return difflib.get_close_matches(wanted, likely, n=most, cutoff=cutoff)


@lru_cache(CACHED_NAMES)
def normalize_name(text: str) -> str:
    """A name in the form in which it is compared; empty if it has only quotation marks, dashes and the like.

    Equal are: cases, composed and decomposed letters, widths of letters, ё and е, all apostrophes and none, all
    quotation marks, dashes, round brackets, underscores and spaces, visible or not; and Latin and Cyrillic letters that
    look alike, in a word that has both.
    """
    folded = unicodedata.normalize("NFC", clean(text)).translate(_EQUAL)  # NFKC would make a space and a mark of ´
    if not folded.isascii():
        folded = unicodedata.normalize("NFKC", folded).casefold()
        # Both steps make characters that are folded here: ŉ becomes an apostrophe and n, and İ becomes i and a mark.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).translate(_EQUAL))
        if _LATIN_LETTER.search(folded) and _CYRILLIC_LETTER.search(folded):
            folded = unicodedata.normalize("NFKC", _WORD.sub(_in_one_script, folded))
    return " ".join(folded.casefold().split())


def _in_one_script(found: re.Match[str]) -> str:
    """A word of which all Latin letters, or else all Cyrillic ones, look like letters of the other script, in that."""
    word = found[0]
    if not (_LATIN_LETTER.search(word) and _CYRILLIC_LETTER.search(word)):
        return word
    cyrillic, latin = word.translate(_TO_CYRILLIC), word.translate(_TO_LATIN)
    return cyrillic if not _LATIN_LETTER.search(cyrillic) else word if _CYRILLIC_LETTER.search(latin) else latin


def join_names(names: Iterable[str]) -> str:
    """The normalized names of one entry as one text, which is searched much faster than each of them."""
    return "".join(BETWEEN_NAMES + name for name in names)


def contains(wanted: str, names: str) -> bool:
    """Whether one of the joined names (or a single one) contains `wanted`, as a whole or word by word in any order."""
    if wanted in names:
        return True
    words = wanted.split()
    if len(words) < 2 or not all([word in names for word in words]):  # noqa: C419 - a list is faster here
        return False
    return any(all(word in name for word in words) for name in names.split(BETWEEN_NAMES))


def _format_candidates(candidates: Sequence[Candidate]) -> str:
    more = f" and {len(candidates) - MAX_CANDIDATES} more" if len(candidates) > MAX_CANDIDATES else ""
    return ", ".join(candidate.label for candidate in candidates[:MAX_CANDIDATES]) + more


def capitalize(clause: str) -> str:
    """The clause as the beginning of a sentence. `str.capitalize` would change its other letters."""
    return clause[:1].upper() + clause[1:]


def _near_names(wanted: str, candidates: Candidates) -> str:
    near = candidates.near(wanted)
    return f" Did you mean {_format_candidates(near)}?" if near else ""


def _suggestions(wanted: str, candidates: Candidates) -> str:
    known = candidates.all
    if not known:
        return "Liner lists none; send an id."
    if len(known) <= MAX_CANDIDATES:
        return f"There are {_format_candidates(known)}."
    near = _near_names(wanted, candidates)
    if near:
        return f"{near.lstrip()} If not, list_directory lists all."
    examples = _format_candidates(known[:MAX_CANDIDATES])
    return f"There are {len(known)}, for example {examples}; list_directory lists them all."
