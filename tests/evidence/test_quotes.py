"""Whether a quote is in a text: what counts as evidence, what is only near, and what a reader has to see beside it."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from liner_mcp.evidence.quotes import MAX_SENTENCE, MOST_MARKS, Match, QuotedText, fold, has_words, is_border
from tests.text.test_long_texts import calls_counted

TEXT = (
    "На звонок отвечает Иван Макаров: хочет узнать про «ЖК Северная Гавань», подбирает двухкомнатную квартиру. "
    "Бюджет — 12 млн рублей, первый взнос готов внести сразу. Не планирует брать ипотеку, всё ещё сравнивает. "
    "Просит звонить на номер +7 *** ***-**-67. Цена 1,5 млн, 12 500 000 или 15–20 млн; скидка -5 %. "
    "She can't buy; the non-refundable fee does not suit her."
)


def found(quote: str, text: str = TEXT) -> Match:
    return QuotedText(text).find(quote)


# States ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quote",
    [
        "Бюджет — 12 млн рублей",
        "взнос",
        " первый взнос готов ",
        "«ЖК Северная Гавань»",
        "номер +7 *** ***-**-67",
        "12 500 000",
        "15–20 млн",
        "She can't buy;",
    ],
)
def test_words_that_stand_there_as_quoted_are_exact(quote: str) -> None:
    match = found(quote)
    assert match.state == "exact"
    assert TEXT[match.start : match.end] == quote.strip()


@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("бюджет - 12 млн\n рублей", "Бюджет — 12 млн рублей"),
        ("“жк северная гавань”", "ЖК Северная Гавань"),
        ("все еще сравнивает.", "всё ещё сравнивает"),
        ("все\u0308 еще\u0308 сравнивает", "всё ещё сравнивает"),
        ("…готов внести сразу…", "готов внести сразу"),
        ("SHE CAN’T BUY", "She can't buy"),
        ("хочет узнать … квартиру", "хочет узнать про «ЖК Северная Гавань», подбирает двухкомнатную квартиру"),
        ("Иван [...] узнать ... «ЖК Северная", "Иван Макаров: хочет узнать про «ЖК Северная"),
    ],
)
def test_the_same_words_in_another_typography_are_the_same_words(quote: str, place: str) -> None:
    match = found(quote)
    assert match.state == "same_words"
    assert TEXT[match.start : match.end] == place


@pytest.mark.parametrize(
    ("quote", "closest", "differs"),
    [
        ("Бюджет — 15 млн рублей, первый взнос", "Бюджет — 12 млн рублей, первый взнос", "15→12"),
        ("млн руб", "млн рублей", "руб→рублей"),
        ("5 млн, 12", "1,5 млн, 12 500 000", "5→1,5; ∅→500 000"),
        ("первый взнос он готов внести", "первый взнос готов внести", "он→∅"),
        ("первый взнос не готов внести", "первый взнос готов внести", "не→∅"),
        ("Бюджет 12 млн рублей", "Бюджет — 12 млн рублей", "∅→-"),
    ],
)
def test_a_near_match_gives_the_texts_wording_and_the_words_that_differ(quote: str, closest: str, differs: str) -> None:
    match = found(quote)
    assert (match.state, match.closest, match.differs) == ("close", closest, differs)
    assert TEXT[match.start : match.end] == closest


@pytest.mark.parametrize(
    "quote",
    [
        "клиент угрожал судом",
        "готов внести сразу … подбирает",  # the parts in another order
        "сравнивает ещё всё",
        "номер +7 916 123-45-67",  # what the mask hides
        "На звонок отвечает Пётр Сидоров и просит перезвонить ему завтра вечером после работы",
    ],
)
def test_what_does_not_stand_there_is_absent(quote: str) -> None:
    assert found(quote) == Match("absent")


@pytest.mark.parametrize(
    "quote",
    ["5 млн", "500 000", "12 500", "15–2", "20 млн", "5 %", "67", "She can", "refundable fee", "Север", "t buy"],
)
def test_a_part_of_a_word_or_of_a_number_is_never_evidence(quote: str) -> None:
    assert found(quote).state in ("close", "absent")


def test_a_text_that_is_shorter_than_the_quote_is_not_like_it_because_the_quote_holds_it() -> None:
    assert found("да, конечно, приеду в пятницу", "Да.") == Match("absent")
    assert found("приеду в пятницу", "приеду в пятниц").state == "close"


def test_an_empty_text_holds_nothing() -> None:
    assert found("взнос", "") == Match("absent")


@pytest.mark.parametrize(("quote", "words"), [("", False), (" … ", False), ("«»!", False), ("12", True), ("я", True)])
def test_a_quote_without_words_is_none(quote: str, words: bool) -> None:
    assert has_words(quote) is words


def test_a_near_match_behind_several_windows_of_a_long_text_is_found() -> None:
    text = (
        "Разговор шёл о погоде и о дороге. " * 900 + "Бюджет — 12 млн рублей, взнос сразу. " + "Потом прощание. " * 400
    )
    match = found("Бюджет — 15 млн рублей, взнос сразу", text)
    assert (match.state, match.differs) == ("close", "15→12")
    assert text[match.start : match.end] == "Бюджет — 12 млн рублей, взнос сразу"


# What stands around ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "negated"),
    [
        ("планирует брать ипотеку", True),
        ("Планирует брать ипотеку", True),
        ("брать ипотеку", True),
        ("Не планирует брать ипотеку", False),
        ("всё ещё сравнивает", False),
        ("buy", True),
        ("suit her", True),
        ("Бюджет … планирует", True),  # the negation stands before a part of it
        ("Планирует взять ипотеку, всё ещё сравнивает", True),
        ("сразу … сравнивает", False),  # the omitted negation stands in another clause
    ],
)
def test_a_negation_that_a_quote_leaves_out_is_reported(quote: str, negated: bool) -> None:
    assert found(quote).negated_before is negated


def test_a_negation_in_an_omitted_part_is_reported_however_far_it_stands() -> None:
    text = "Клиент готов сразу. Клиент не готов сразу и целиком внести взнос."
    assert found("Клиент не … внести взнос", text).negated_before is False
    assert found("сразу. Клиент … внести взнос", text).negated_before is True


NEGATIVE = ["не", "Нет", "ни", "без", "нельзя", "никогда", "not", "No", "never", "without", "doesn’t", "cannot", "nor"]


@pytest.mark.parametrize("negation", NEGATIVE)
def test_every_negation_is_known(negation: str) -> None:
    assert found("agrees", f"Client {negation} agrees.").negated_before is True
    assert found("agrees", f"{negation}. Client agrees.").negated_before is False


def test_the_sentence_is_the_one_that_holds_the_match() -> None:
    assert found("брать ипотеку").sentence == "Не планирует брать ипотеку, всё ещё сравнивает."
    assert found("сразу. Не планирует").sentence == (
        "Бюджет — 12 млн рублей, первый взнос готов внести сразу. Не планирует брать ипотеку, всё ещё сравнивает."
    )
    assert found("живёт в г. Москва", "Клиент живёт в г. москва. Просит перезвонить.").sentence == (
        "Клиент живёт в г. москва."
    )


@pytest.mark.parametrize("before", [0, 10, 400])
@pytest.mark.parametrize("after", [0, 10, 400])
@pytest.mark.parametrize("words", [1, 60, 200])
def test_a_long_sentence_is_cut_around_the_match(before: int, after: int, words: int) -> None:
    quote = ("слово " * words).strip()
    text = f"{'раньше ' * before}{quote}{' позже' * after}"
    sentence = found(quote, text).sentence
    assert sentence is not None
    assert len(sentence) <= MAX_SENTENCE
    assert quote[:250] in sentence
    assert sentence.startswith("…") is (before > 40 and len(quote) < MAX_SENTENCE)
    assert sentence.strip("…") in text


def test_a_long_sentence_is_cut_in_no_number() -> None:
    for gap in range(40):
        text = f"{'слово ' * 30}12 500 000 {'я' * gap} {'слово ' * 20}взнос {'слово ' * 21}{'я' * gap} 12 500 000 конец"
        sentence = found("взнос", text).sentence
        assert sentence is not None
        shown = sentence.strip("…")
        assert f" {shown} " in f" {text} "
        assert re.findall(r"\d[\d ]*\d|\d", shown) == ["12 500 000"] * shown.count("12 500 000"), shown


def test_a_long_match_is_cut_in_no_number() -> None:
    for gap in range(12):
        text = f"{'я' * gap}{'12 500 000 ' * 40}"
        sentence = found(text.strip(), text).sentence
        assert sentence is not None
        assert len(sentence) <= MAX_SENTENCE
        assert sentence.endswith("12 500 000…")


# Properties -----------------------------------------------------------------------------------------------------------

WORDS = st.text(alphabet="абвгдеёжзийклмнопрстуфхцчшщьыэюяabcdefgh", min_size=1, max_size=9)
NUMBERS = st.integers(0, 99_999).map(str)
SEPARATORS = st.sampled_from([" ", ", ", " — ", ". ", "; ", "\n", " «", "» ", "  "])
ENGLISH_AND_RUSSIAN = st.lists(st.tuples(st.one_of(WORDS, WORDS, NUMBERS), SEPARATORS), min_size=1, max_size=25)


def written(tokens: list[tuple[str, str]]) -> str:
    return "".join(part for token in tokens for part in token)


@given(ENGLISH_AND_RUSSIAN, st.data())
def test_a_quote_that_is_cut_at_the_borders_of_words_is_exact(
    tokens: list[tuple[str, str]], data: st.DataObject
) -> None:
    text = written(tokens)
    borders = [at for word in re.finditer(r"\w+", text) for at in word.span() if is_border(text, at)]
    assume(borders)
    start, end = sorted((data.draw(st.sampled_from(borders)), data.draw(st.sampled_from(borders))))
    quote = text[start:end]
    assume(has_words(quote))
    match = found(quote, text)
    assert match.state == "exact"
    assert text[match.start : match.end] == quote.strip()
    assert match.sentence is not None
    assert len(match.sentence) <= MAX_SENTENCE


@given(ENGLISH_AND_RUSSIAN, st.data())
def test_the_same_quote_in_capitals_with_other_spaces_and_quotation_marks_is_the_same_words(
    tokens: list[tuple[str, str]], data: st.DataObject
) -> None:
    text = written(tokens)
    begin = data.draw(st.integers(0, len(tokens) - 1))
    chosen = tokens[begin : data.draw(st.integers(begin + 1, len(tokens)))]
    quote = written(chosen).strip(" ,.;\n«»—")
    assume(has_words(quote) and is_border(text, text.find(quote)) and is_border(text, text.find(quote) + len(quote)))
    other = (
        re.sub(r"\s+", " \t ", quote).upper().replace("Ё", "Е").replace("«", "“").replace("»", "”").replace("—", "-")
    )
    match = found(f'"{other}"', text)
    assert match.state == "same_words"
    assert fold(text[match.start : match.end]).plain == fold(quote).plain


@given(st.lists(WORDS, min_size=3, max_size=12), st.integers(0, 9_999), st.integers(0, 9_999), st.data())
def test_a_quote_with_another_number_is_never_evidence(
    words: list[str], number: int, other: int, data: st.DataObject
) -> None:
    assume(number != other)
    place = data.draw(st.integers(0, len(words)))
    text = " ".join([*words[:place], str(number), *words[place:]])
    quote = " ".join([*words[:place], str(other), *words[place:]])
    assert found(quote, text).state in ("close", "absent")


@given(st.lists(WORDS, min_size=1, max_size=8, unique=True), st.sampled_from(["Не", "не", "ни", "not", "never"]))
def test_a_quote_whose_negation_was_dropped_is_found_and_reported_as_negated(words: list[str], negation: str) -> None:
    assume(not set(words) & {"не", "ни", "нет", "без"})
    quote = " ".join(words)
    match = found(quote, f"Клиент приветлив. {negation} {quote}. Просит перезвонить.")
    assert match.state in ("exact", "same_words")
    assert match.negated_before is True


@given(ENGLISH_AND_RUSSIAN, st.text(min_size=1, max_size=60))
def test_any_text_can_be_looked_for(tokens: list[tuple[str, str]], quote: str) -> None:
    text = written(tokens)
    match = found(quote, text)
    if match.state == "absent":
        assert match == Match("absent")
    else:
        assert match.start is not None
        assert match.end is not None
        assert 0 <= match.start < match.end <= len(text)
        assert match.sentence is not None
        assert len(match.sentence) <= MAX_SENTENCE


# Bounded work ---------------------------------------------------------------------------------------------------------

LONG = 100_000
ENDLESS = {
    "one word": "я" * LONG,
    "marks": "а" + "\u0301\u0323" * (LONG // 2),
    "letters with marks": "а\u0301\u0323" * (LONG // 3),
    "asterisks": "*" * LONG,
    "brackets": "[" * LONG,
    "negations": "не " * (LONG // 3),
    "masks": "+7 *** ***-**-67 " * (LONG // 17),
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_quote_in_an_endless_word_is_looked_for_without_a_call_per_character_and_quote(text: str) -> None:
    quoted = QuotedText(text)
    quoted.find("этого нет")  # the text is folded now
    with calls_counted() as counted:
        for start in range(0, 500, 100):
            quoted.find(f"{text[start : start + 400]} щ{start}")
    assert counted.count < LONG


def test_marks_beyond_a_few_are_characters_of_their_own() -> None:
    """Marks of two classes are sorted when they are normalized, in quadratic time."""
    folded = fold("а" + "\u0301\u0323" * 1_000)
    assert max(end - start for start, end in zip(folded.starts, folded.ends, strict=True)) <= 1 + MOST_MARKS
