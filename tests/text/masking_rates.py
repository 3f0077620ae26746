"""How many spellings of the corpus the masks find, and how many ordinary numbers they change.

`python -m tests.text.masking_rates` prints the rates of each kind; with `--missed`, the texts as well.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask

CORPUS = Path(__file__).with_name("masking_corpus.txt")
ORDINARY, IN_WORDS = "ordinary", "phone: in words"
_MARKED = re.compile(r"\[\[(.*?)\]\]")
_LETTERS_FOR_DIGITS = str.maketrans("ОоOoЗз", "000033")
_NUMBER = re.compile(r"(?<![^\W_])[\dОоOoЗз]*\d[\dОоOoЗз]*(?![^\W_])")
_MASKS = re.compile(r"(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{4} \d{4}")
_WORD = r"[^\W_]{2,}"
_WINDOW = 4  # consecutive digits that must not be readable
_MOST_LEFT = 3  # digits beside a mask: the code of an operator or a city


@dataclass(slots=True)
class Rate:
    """One kind of texts: how many there are, and those that were not masked (or, if ordinary, were changed)."""

    texts: int = 0
    wrong: list[str] = field(default_factory=list[str])


@cache
def texts_by_kind() -> dict[str, list[str]]:
    """The corpus, without comments."""
    kinds: dict[str, list[str]] = {}
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"== (.+) ==", line):
            kinds[heading[1]] = []
        elif line and not line.startswith("#"):
            kinds[list(kinds)[-1]].append(line)
    return kinds


@cache
def measured_rates() -> dict[str, Rate]:
    """The rates of the masks today, by kind."""
    rates: dict[str, Rate] = {}
    for kind, texts in texts_by_kind().items():
        rate = rates[kind] = Rate(len(texts))
        for text in texts:
            plain = clean(_MARKED.sub(r"\1", text))
            shown = mask(plain)
            if shown != plain if kind.startswith(ORDINARY) else _is_readable(kind, text, shown):
                rate.wrong.append(f"{plain} → {shown}")
    return rates


def _is_readable(kind: str, marked: str, shown: str) -> bool:
    """Whether anything that is marked in a text can still be read, or whether the text around it has changed."""
    hidden = [clean(part) for part in _MARKED.findall(marked)]
    if kind.startswith("e-mail") or kind == IN_WORDS:
        words = set(re.findall(_WORD, " ".join(hidden).lower())) - set(
            re.findall(_WORD, _MARKED.sub("", marked).lower())
        )
        return bool(words.intersection(re.findall(_WORD, shown.lower())))
    before, after = clean(marked[: marked.index("[[")]), clean(marked[marked.rindex("]]") + 2 :])
    if not (shown.startswith(before.rstrip("*`")) and shown.endswith(after.lstrip("*`"))):
        return True
    left = _digits(_MASKS.sub("", shown.removeprefix(before).removesuffix(after)))
    secrets = [_digits(part)[: -4 if kind.startswith("card") else -2] for part in hidden]
    windows = {secret[at : at + _WINDOW] for secret in secrets for at in range(len(secret) - _WINDOW + 1)}
    return len(left) > _MOST_LEFT or any(window in left for window in windows)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", "".join(number.translate(_LETTERS_FOR_DIGITS) for number in _NUMBER.findall(text)))


def table() -> str:
    """The measured rates as Markdown."""
    found = ["| Spellings | Texts | Masked |", "| --- | --- | --- |"]
    changed = ["| Ordinary numbers | Texts | Changed |", "| --- | --- | --- |"]
    for kind, rate in measured_rates().items():
        wrong = len(rate.wrong)
        if kind.startswith(ORDINARY):
            changed.append(f"| {kind.partition(': ')[2]} | {rate.texts} | {wrong} |")
        else:
            found.append(f"| {kind} | {rate.texts} | {rate.texts - wrong} |")
    return "\n".join([*found, "", *changed])


if __name__ == "__main__":
    missed = [line for kind, rate in measured_rates().items() for line in ("", kind, *rate.wrong)]
    sys.stdout.write("\n".join([table(), *(missed if "--missed" in sys.argv else []), ""]))
