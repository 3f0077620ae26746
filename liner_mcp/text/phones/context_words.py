"""The words and signs around a number: do they mark a reference, an amount, a list of flats, or a phone?

Pure; the text is already clean. Each function reads only a few characters beside the number, so it is fast.
"""

import re

from liner_mcp.text.phones.digit_groups import DigitWindow

# A number after these words is a reference. Word endings are listed, because "заказал" (ordered) before a phone must
# not match "заказ" (order).
_REFERENCE = re.compile(
    r"(?:[№#$€£₽]|\b(?:(?:договор|контракт|заказ|счёт|счет)(?:а|у|ом|е)?|заявк[аиеу]|инн|кпп|огрн|огрнип|бик|снилс"
    r"|паспорт|id|inn|contract|order|invoice|ticket|case|agreement))"
    r"(?:\s?(?:№|#|no\.?|number|номер))?[\s:.,\-–—\"«(]{0,3}$",
    re.IGNORECASE,
)
_REFERENCE_REACH = 32  # characters before a number: room for the longest phrase above
_UNIT = re.compile(
    r"\s?(?:[₽$€£%]|руб|р\.|тыс|млн|млрд|долл|евро|дирх|тенге|м²|кв\.?\s?м|(?:aed|usd|eur|rub|kzt)\b)", re.IGNORECASE
)

# After these words a list of numbers begins.
_AFTER_LIST_WORD = re.compile(
    r"\b(?:кв\.?|квартир(?:ы|ам|ах)?|этаж(?:и|ей|ам|ах)|дом(?:а|ов|ам|ах)|корпус(?:а|ов|ам|ах)|площад(?:и|ей|ью)|лот(?:ы|ов)"
    r"|участ(?:ки|ков)|секци[ий]|артикул(?:ы|ов|ам)|заявк(?:и|ам|ах)|заказ(?:ы|ов|ам)|договор(?:ы|а|ов|ам)|звонк(?:и|ов|ам)|оценк[иа]|балл(?:ы|ов)|flats|floors|units|rooms|villas|areas|lots|plots|apartments|scores"
    r"|ids|calls|records)[ :№#(\-–—]{0,3}\Z",
    re.IGNORECASE,
)
_LIST_WORD_REACH = 20  # characters before a number: room for the longest phrase above

_PHONE_WORD = (
    r"(?:тел(?:ефон(?:а|у|ом|е|ы|ов|ам)?)?|моб(?:ильн(?:ый|ого|ому|ом))?|сот(?=\.)|сот(?:ов(?:ый|ого|ому|ом))|факс|ватс?ап(?:п|е)?"
    r"|вотс?ап(?:п|е)?|вайбер(?:е)?|phones?|telephone|tel|mobile|cell(?:phone)?|fax|whats ?app|viber"
    r"|(?:мой|его|её|ее|их) номер|(?:my|his|her|their) number"
    r"|(?:зв|позв|перезв|дозв|созв|зазв)[ао]н\w{1,6}(?: (?:мне|ему|ей|им|нам|клиенту))? (?:на|по)"
    r"|(?:за|про)?дикту(?:ю|ет|йте)|продиктова(?:л|ла|ли)|запиш(?:у|ите)|записывай(?:те)?"
    r"|набра(?:ть|л|ла|ли)|набер(?:ите|у|ёт|ет)|call(?:ed)?(?: (?:me|him|her|us|them))?(?: back)? (?:at|on))"
)
# Words that may stand between such a word and the number.
_WHOSE = (
    r"(?:номер(?:а|у|ом|е)?|клиент(?:а|ки)|для связи|контактный|его|её|ее|их|мой|наш|это|городской|домашний|рабочий"
    r"|личный|другой|второй|number|no|num|is|was|of|the|client|customer|his|her|my|home|work|office|other)"
)
_AFTER_PHONE_WORD = re.compile(
    rf"(?<![^\W\d_]){_PHONE_WORD}(?:[\s:.,]{{1,3}}{_WHOSE}(?![^\W\d_])){{0,4}}(?:[^\w+＋]|_){{0,6}}"
    r"(?:(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d(?:[,;/] ?| (?:и|или|or|and) )){0,4}[(（+＋]?\Z",
)
# Each such word contains one of these. A search for them costs a tenth of the search for the words.
_STEMS = (
    "тел", "зв", "моб", "номер", "набр", "набер", "сот", "факс", "тсап", "вайб", "дикт", "запи",
    "phone", "tel", "call", "number", "mob", "cell", "fax", "what", "viber",
)  # fmt: skip
_PHONE_WORD_REACH = 72  # characters before a number: room for the phrases that people use
_JOINT = r"(?:[,;/] ?| (?:и|или|or|and) )[(（]?"
_LIST_JOINT = re.compile(_JOINT)
_MASKED_LIST_JOINT = re.compile(rf"\*\*-\d\d{_JOINT}\Z")


def is_reference_or_amount(window: DigitWindow) -> bool:
    """Whether this is the number of a contract, an order or the like, or counts money or metres."""
    text = window.run.text
    start, end = window.span
    before = text[max(start - _REFERENCE_REACH, 0) : start]
    return _REFERENCE.search(before) is not None or precedes_unit(text, end)


def precedes_unit(text: str, end: int) -> bool:
    """Whether a unit follows the number that ends at `end`."""
    return _UNIT.match(text, end) is not None


def follows_list_word(text: str, start: int) -> bool:
    """Whether a word such as "flats" or "scores" stands before `start`."""
    return _AFTER_LIST_WORD.search(text[max(start - _LIST_WORD_REACH, 0) : start]) is not None


def follows_phone_word(text: str, start: int) -> bool:
    """Whether a word such as "phone" stands before `start`, perhaps with masked phones between."""
    before = text[max(start - _PHONE_WORD_REACH, 0) : start].lower()
    return any(stem in before for stem in _STEMS) and _AFTER_PHONE_WORD.search(before) is not None


def continues_phone_list(text: str, end: int, start: int) -> bool:
    """Whether `end`, where a phone ends, and `start` have a comma, an "and" or the like between them."""
    return _LIST_JOINT.fullmatch(text, end, start) is not None


def continues_masked_list(text: str, start: int) -> bool:
    """Whether a masked phone and a comma, an "and" or the like stand before `start`."""
    return _MASKED_LIST_JOINT.search(text[max(start - 16, 0) : start]) is not None
