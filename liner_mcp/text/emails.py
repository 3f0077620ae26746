"""Masks the names in e-mail addresses in free text, as `***@domain.ru`. Pure; the text is already clean.

The at sign may be written (`@`), bracketed (`(at)`, `[собака]`) or spoken (`имя собака домен точка ру`, `name at domain
dot com`). A word counts as an at sign only before a domain with a known ending, because calls mention dogs and places.
"""

import re
from collections.abc import Iterable

from liner_mcp.text.masking_steps import MaskedText, Steps, search_work

# A character of a name: a letter of any script with its accents, a digit, or a sign that real addresses use. Not an
# asterisk, because a mask would be masked again.
_NAME_CHARACTER = r"[\w\u0300-\u036f.+\-'%&=~#!$]"
_NAME_BACKWARDS = re.compile(f"{_NAME_CHARACTER}*")
_NOT_FIRST_IN_NAME = "'.-"  # an opening quotation mark, or the end of the word before

# Every repetition is bounded, so that the work per at sign is small: a label has at most 63 characters (RFC 1035), and
# real domains do not have more parts than this.
_LABEL = r"[\w\u0300-\u036f\-]{1,63}"
_DOT = "[.．。｡]"
_DOMAIN = rf"{_LABEL}(?:{_DOT}{_LABEL}){{0,6}}{_DOT}[^\W\d_][\w\-]"
_SAID_DOT = rf"(?: ?{_DOT} ?| ?[(\[{{<] ?(?:dot|точка|{_DOT}) ?[)\]}}>] ?| (?:точка|dot|point) )"
_SAID_ENDING = (
    r"(?:ру|рф|ком|нет|орг|су|бай|бел|кз|юа|уа|ае|инфо|онлайн|ru|com|net|org|su|by|kz|ua|uz|ae|info|online|me|io|tr|de"
    r"|uk)\b"
)
# With the pauses that a recogniser writes: `, точка, `, ` - точка - `.
_PAUSED_DOT = r"(?:,| -| –| —) (?:точка|dot|point)(?:,| -| –| —) "
# Of these domains people leave out the dot: `собака яндекс ру`.
_PROVIDER = (
    r"(?:g?mail|yandex|rambler|inbox|bk|list|hotmail|outlook|icloud|м[еэа]йл|яндекс|рамблер|инбокс|бк|лист|хотмейл|аутлук"
    r"|айклауд|дж[иы]?м[еэ]йл|гм[еэ]йл)"
)
_SAID_DOMAIN = rf"(?:(?:{_LABEL}(?:{_SAID_DOT}|{_PAUSED_DOT})){{1,4}}{_SAID_ENDING}|{_PROVIDER} (?:ру|ком|ru|com)\b)"
# "Look at sunrise.com" is no address; "john at sunrise dot com" is one.
_SPELLED_DOMAIN = rf"(?:{_LABEL},? (?:dot|point),? ){{1,4}}{_SAID_ENDING}"

# A comma in place of the dot, and an address of numbers.
_OTHER_DOMAIN = rf"{_LABEL},(?:ru|com|ру|рф)\b|\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\w.])"
_AT = re.compile(" ?(?:[@＠﹫]|%40)")
_WRITTEN = re.compile(rf" ?(?:[@＠﹫]|%40) ?(?={_DOMAIN}|{_OTHER_DOMAIN}|{_SAID_DOMAIN})", re.IGNORECASE)
_BRACKETED = re.compile(
    rf" ?[(\[{{<] ?(?:at|@|собака|собачка|dog) ?[)\]}}>] ?(?={_DOMAIN}|{_SAID_DOMAIN})", re.IGNORECASE
)
# A recogniser sets off the word with commas, dashes, full stops or quotation marks.
_SAID = re.compile(
    r"(?:[,.]? |,? [\-–—] )(?:это |(?:значок|знак|символ) )?"
    r"(?:[«\"'“„]?(?:собак[аи]|собачка|dog|эт)[»\"'”“]?(?:[,.]? |,? [\-–—] )(?:дальше |потом |затем )?"
    rf"(?={_SAID_DOMAIN})"
    rf"|at,? (?={_SPELLED_DOMAIN}))",
    re.IGNORECASE,
)

_EH = (" эт ", " эт, ", "«эт»", '"эт"')
_FRAMED_AT = ("(@", "[@", "{@", "<@", "( @", "[ @", "{ @", "< @")
_BESIDE_AT = (" dot ", " dot, ", " point ", "(at", "[at", "{at", "<at", "( at", "[ at", "{ at", "< at")

# A spoken name: words joined by the names of signs, with numbers at the end, or single letters.
_JOINT = r"(?:точка|дефис|тире|минус|плюс|(?:нижнее )?подч[её]ркивание|dot|dash|hyphen|minus|plus|underscore)"
_WORD = rf"{_NAME_CHARACTER}{{1,64}}"
_SPOKEN_NAME = re.compile(
    rf"(?<!{_NAME_CHARACTER})(?:(?:{_WORD},? (?:{_JOINT}|[._]),? ){{0,8}}{_WORD}(?: \d{{1,4}}){{0,4}}"
    r"|(?:[^\W_] ){1,24}[^\W_])\Z",
    re.IGNORECASE,
)
_SPOKEN_REACH = 160  # characters before an at sign that are searched for a spoken name
_WORK_PER_SIGN = 2  # the search for one name takes as long as reading this many characters of digits
_CLOSING_QUOTES = ("»", '"', "”")
_QUOTED_NAME = re.compile(r"[«\"“][^«»\"“”\n]{1,64}[»\"”]\Z")
# Digits before a name of digits are more likely a phone in front of an at sign; no part of it may stay.
_NUMBER = re.compile(r"[\d.+\-]*")
_DIGITS_BEFORE = re.compile(r"\+?\d[\d ()\-]{0,24}\Z")


def email_steps(text: str) -> Steps:
    """Mask the name of each address as `***`. Masking a masked text changes nothing."""
    # A search for the at sign costs a tenth of the search for an address.
    if "@" in text or "%40" in text or "＠" in text or "﹫" in text:
        text = yield from _mask_names(text, (_WRITTEN.match(text, at.start()) for at in _AT.finditer(text)))
    lower = text.lower()
    yield search_work(text)
    if (
        "соба" in lower
        or "dog" in lower
        or ("эт" in lower and any(sign in lower for sign in _EH))
        or ("@" in lower and any(sign in lower for sign in _FRAMED_AT))
        or ("at" in lower and any(sign in lower for sign in _BESIDE_AT))
    ):
        text = yield from _mask_names(text, _BRACKETED.finditer(text))
        text = yield from _mask_names(text, _SAID.finditer(text))
    return text


def _mask_names(text: str, signs: Iterable[re.Match[str] | None]) -> Steps:
    """Mask the name before each at sign. None stands for a sign without a domain, which costs time too."""
    masked = MaskedText(text)
    previous = 0
    for sign in signs:
        yield _WORK_PER_SIGN
        if sign is None:
            continue
        start = _name_start(text, previous, sign)
        previous = sign.start()
        if start < previous:
            masked.replace(start, previous, "***")
    yield search_work(text)
    return masked.result()


def _name_start(text: str, after: int, sign: re.Match[str]) -> int:
    """Where the name before an at sign begins, not earlier than `after`; where the sign begins if there is no name."""
    end = sign.start()
    if text[end - 1 : end] in _CLOSING_QUOTES and (quoted := _QUOTED_NAME.search(text[max(after, end - 66) : end])):
        return end - len(quoted[0])
    if sign[0][0] in " ,.":
        near = max(after, end - _SPOKEN_REACH)
        spoken = _SPOKEN_NAME.search(text[near:end])
        return end if spoken is None else near + spoken.start()
    written = _NAME_BACKWARDS.match(text[after:end][::-1])
    name = text[end - (written.end() if written else 0) : end]
    start = end - len(name.lstrip(_NOT_FIRST_IN_NAME) or name)
    if _NUMBER.fullmatch(text, start, end) and (before := _DIGITS_BEFORE.search(text[max(after, start - 32) : start])):
        start -= len(before[0])
    return start
