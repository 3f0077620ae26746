"""From what a person calls something to its id. Pure.

An exact name wins, then a beginning, then a part, then words in any order; upper and lower case, ё and е, and spaces
make no difference. What fits several things is refused with the things it fits: a guess answers another question.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from liner_mcp.errors import InvalidArgument
from liner_mcp.input_limits import MAX_TEXT
from liner_mcp.text.mask import quote_input

MAX_CANDIDATES = 8  # candidates in a refusal: enough to recognise the right one, short enough to read
MAX_QUOTED = 40  # characters of a name that is shown back
MOST_COMPARED = (
    50  # names that a misspelt one is compared with letter by letter, which takes a fraction of a millisecond
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something with a name. `ids` are what it stands for (several for a group); `aliases` are its other names."""

    ids: tuple[int, ...]
    name: str
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with what to send for it."""
        one = f"#{self.ids[0]}" if len(self.ids) == 1 else f"{len(self.ids)} agents"
        return self.name if self.name.endswith(one) else f"{self.name} ({one})"


class Candidates:
    """What a name may mean, folded once: a question may hold a hundred names, and a dictionary thousands."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.all = tuple(candidates)
        self._texts = [(candidate, _texts(candidate)) for candidate in self.all]

    def fitting(self, wanted: str) -> list[Candidate]:
        """Those that the folded name fits best, if any."""
        words = wanted.split()
        for fits in _MATCH_STEPS:
            found = [one for one, texts in self._texts if any(fits(wanted, words, text) for text in texts)]
            if found:
                return found
        return []

    def near(self, wanted: str) -> list[Candidate]:
        """Those that a misspelt name may mean, the nearest first."""
        by_text = {text: candidate for candidate, texts in self._texts for text in texts}
        found = closest(wanted, by_text, MAX_CANDIDATES, cutoff=0.5)
        return list({id(by_text[text]): by_text[text] for text in found}.values())


def resolve_ids(argument: str, asked: Sequence[int | str], candidates: Candidates) -> tuple[int, ...]:
    """The ids that `asked` means, each once, in the order asked. A number or all-digit text is an id as it is.

    Raises: InvalidArgument naming the argument, with the candidates, for a name that fits none or several.
    """
    found: dict[int, None] = {}
    for one in asked:
        if isinstance(one, int):
            found[one] = None
        else:
            found.update(dict.fromkeys(resolve_name(argument, one, candidates).ids))
    return tuple(found)


def resolve_name(argument: str, name: str, candidates: Candidates) -> Candidate:
    """The one candidate that a name means.

    Raises: InvalidArgument.
    """
    if len(name) > MAX_TEXT:
        raise InvalidArgument(f'{argument}: nothing is called "{quote_input(name, MAX_QUOTED)}"; no name is as long.')
    wanted = normalize_name(name)
    fitting = candidates.fitting(wanted)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidArgument(
            f'{argument}: "{quote_input(name, MAX_QUOTED)}" fits {len(fitting)}: {_format_candidates(fitting)}. '
            "Send the id, or "
            "all of the ids, or more of the name."
        )
    raise InvalidArgument(
        f'{argument}: nothing is called "{quote_input(name, MAX_QUOTED)}". {_suggestions(wanted, candidates)}'
    )


def closest(wanted: str, texts: Iterable[str], most: int, cutoff: float) -> list[str]:
    """The texts that are most like `wanted`. Only those that share most pairs of letters are compared in full."""
    pairs = _pairs(wanted)
    likely = nlargest(MOST_COMPARED, texts, key=lambda text: len(pairs & _pairs(text)))
    return difflib.get_close_matches(wanted, likely, n=most, cutoff=cutoff)


def _pairs(text: str) -> set[str]:
    return {text[start : start + 2] for start in range(len(text) - 1)}


def normalize_name(text: str) -> str:
    """A name as it is compared: case, ё, quotation marks and runs of spaces make no difference."""
    composed = unicodedata.normalize("NFKC", text)  # й and ё may come as a letter and a mark above it
    return " ".join(re.sub(r"[«»\"'“”„()]", " ", composed.casefold().replace("ё", "е")).split())


def contains(wanted: str, text: str) -> bool:
    """Whether folded `wanted` occurs in a folded name, as a whole or word by word in any order."""
    return wanted in text or _words_in_any_order(wanted, wanted.split(), text)


def _words_in_any_order(_: str, words: Sequence[str], text: str) -> bool:
    return all(word in text for word in words)


_MATCH_STEPS: tuple[Callable[[str, Sequence[str], str], bool], ...] = (
    lambda wanted, _, text: wanted == text,
    lambda wanted, _, text: text.startswith(wanted),
    lambda wanted, _, text: wanted in text,
    _words_in_any_order,
)


def _texts(candidate: Candidate) -> list[str]:
    return [normalize_name(text) for text in (candidate.name, *candidate.aliases) if text]


def _format_candidates(candidates: Sequence[Candidate]) -> str:
    more = f" and {len(candidates) - MAX_CANDIDATES} more" if len(candidates) > MAX_CANDIDATES else ""
    return ", ".join(candidate.label for candidate in candidates[:MAX_CANDIDATES]) + more


def _suggestions(wanted: str, candidates: Candidates) -> str:
    known = candidates.all
    if not known:
        return "Liner lists none; send an id."
    if len(known) <= MAX_CANDIDATES:
        return f"There are {_format_candidates(known)}."
    near = candidates.near(wanted)
    if near:
        return f"Did you mean {_format_candidates(near)}? If not, list_directory lists all."
    examples = _format_candidates(known[:MAX_CANDIDATES])
    return f"Of {len(known)} there are, for example, {examples}; list_directory lists them all."
