"""Hiding whose an e-mail address is, in text that people and recognisers wrote freely.

Pure, on text that is already clean. What stands before the sign goes, the domain stays: `***@domain.ru`. The sign may
be written (`@`), bracketed (`(at)`, `[собака]`) or said aloud (`имя собака домен точка ру`, `name at domain dot com`).
A word is a sign only before a domain that ends in one of the known endings: dogs and places occur in calls, too.
"""

import re

from liner_mcp.text.masking_steps import Steps, completed, search_work

_MASK = "***"

# Of a name: letters of any script with their accents, digits, and the signs that real addresses use. No asterisk, or a
# mask would be masked again.
_OF_A_NAME = r"[\w\u0300-\u036f.+\-'%&=~#!$]"
_NAME_BACKWARDS = re.compile(f"{_OF_A_NAME}*")
_NOT_ITS_BEGINNING = "'.-"  # an opening quotation mark, the end of the word before

# Every repetition is bounded, so that no sign costs more than a glance: a label has 63 characters at most (RFC 1035),
# and nobody writes or says a domain of more parts than these.
_LABEL = r"[\w\u0300-\u036f\-]{1,63}"
_DOT = "[.．。｡]"
_DOMAIN = rf"{_LABEL}(?:{_DOT}{_LABEL}){{0,6}}{_DOT}[^\W\d_][\w\-]"
_SAID_DOT = rf"(?: ?{_DOT} ?| ?[(\[{{<] ?(?:dot|точка|{_DOT}) ?[)\]}}>] ?| (?:точка|dot|point) )"
_SAID_ENDING = (
    r"(?:ру|рф|ком|нет|орг|су|бай|бел|кз|юа|уа|ае|инфо|онлайн|ru|com|net|org|su|by|kz|ua|uz|ae|info|online|me|io|tr|de"
    r"|uk)\b"
)
_SAID_DOMAIN = rf"(?:{_LABEL}{_SAID_DOT}){{1,4}}{_SAID_ENDING}"
# "Look at sunrise.com" is advice; "john at sunrise dot com" is an address.
_SPELLED_DOMAIN = rf"(?:{_LABEL} (?:dot|point) ){{1,4}}{_SAID_ENDING}"

_WRITTEN = re.compile(rf" ?(?:[@＠﹫]|%40) ?(?={_DOMAIN}|{_SAID_DOMAIN})", re.IGNORECASE)
_BRACKETED = re.compile(
    rf" ?[(\[{{<] ?(?:at|@|собака|собачка|dog) ?[)\]}}>] ?(?={_DOMAIN}|{_SAID_DOMAIN})", re.IGNORECASE
)
_SAID = re.compile(rf" (?:(?:собака|собачка|dog) (?={_SAID_DOMAIN})|at (?={_SPELLED_DOMAIN}))", re.IGNORECASE)

_FRAMED_AT = ("(@", "[@", "{@", "<@", "( @", "[ @", "{ @", "< @")
_BESIDE_AT = (" dot ", " point ", "(at", "[at", "{at", "<at", "( at", "[ at", "{ at", "< at")

# A name said aloud: words with the names of signs between them and numbers behind, or letters one by one.
_JOINT = r"(?:точка|дефис|тире|минус|плюс|(?:нижнее )?подч[её]ркивание|dot|dash|hyphen|minus|plus|underscore)"
_WORD = rf"{_OF_A_NAME}{{1,64}}"
_SPOKEN_NAME = re.compile(
    rf"(?<!{_OF_A_NAME})(?:(?:{_WORD} {_JOINT} ){{0,8}}{_WORD}(?: \d{{1,4}}){{0,4}}|(?:[^\W_] ){{1,24}}[^\W_])\Z",
    re.IGNORECASE,
)
_SPOKEN_REACH = 160  # characters before a sign in which a spoken name is looked for
WORK_PER_SIGN = 2  # a name is found in the time in which so many characters of digits are read
# Digits before a name of digits: more likely a phone with a sign behind it, of which half must not stay.
_NUMBER = re.compile(r"[\d.+\-]*")
_DIGITS_BEFORE = re.compile(r"\+?\d[\d ()\-]{0,24}\Z")


def mask_emails(text: str) -> str:
    """The text with the name of each address as `***`. Masking a masked text changes nothing."""
    return completed(email_steps(text))


def email_steps(text: str) -> Steps:
    """The same in steps."""
    # Asking whether a sign is there costs a tenth of looking for an address.
    if "@" in text or "%40" in text or "＠" in text or "﹫" in text:
        text = yield from _mask_names(text, _WRITTEN)
    lower = text.lower()
    yield search_work(text)
    if (
        "соба" in lower
        or "dog" in lower
        or any(sign in lower for sign in _FRAMED_AT)
        or ("at" in lower and any(sign in lower for sign in _BESIDE_AT))
    ):
        text = yield from _mask_names(text, _BRACKETED)
        text = yield from _mask_names(text, _SAID)
    return text


def _mask_names(text: str, signs: re.Pattern[str]) -> Steps:
    pieces: list[str] = []
    done = reach = 0
    for sign in signs.finditer(text):
        start = _name_start(text, reach, sign)
        reach = sign.start()
        if start < reach:
            pieces += text[done:start], _MASK
            done = reach
        yield WORK_PER_SIGN
    yield search_work(text)
    return "".join((*pieces, text[done:])) if pieces else text


def _name_start(text: str, after: int, sign: re.Match[str]) -> int:
    """Where the name before a sign begins, behind `after`; at the sign itself when there is none."""
    end = sign.start()
    if sign[0].startswith(" "):
        near = max(after, end - _SPOKEN_REACH)
        spoken = _SPOKEN_NAME.search(text[near:end])
        return end if spoken is None else near + spoken.start()
    written = _NAME_BACKWARDS.match(text[after:end][::-1])
    name = text[end - (written.end() if written else 0) : end]
    start = end - len(name.lstrip(_NOT_ITS_BEGINNING) or name)
    if _NUMBER.fullmatch(text, start, end) and (before := _DIGITS_BEFORE.search(text[max(after, start - 32) : start])):
        start -= len(before[0])
    return start
