"""What a text mentions: words in any form, phrases, either, without; and how well forms are found."""

from __future__ import annotations

import unicodedata
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.words import quality
from liner_mcp.search.matching import Match, compile_query, match_steps
from liner_mcp.search.words import WORD
from liner_mcp.text.masking_steps import completed
from tests.search.absence import without_pymorphy3
from tests.search.lexemes import LEXEMES

TEXT = "У клиента двое детей, приедет на просмотр в пятницу; ипотеку не берёт, бюджет 15млн."
# Lexemes whose forms the dictionary does not give to another word.
NAMES = sorted(LEXEMES)
SEPARATORS = (" ", ", ", ". ", " — ", "\n", "; ", " («")


def match(query: str, text: str) -> Match:
    return completed(match_steps(compile_query(query), text))


def mentions(query: str, text: str) -> bool:
    found = match(query, text)
    return found.wanted and not found.unwanted


def spelled(word: str, how: int) -> str:
    """The same word as another hand writes it."""
    if how == 1:
        return word.upper()
    if how == 2:
        return word.replace("ё", "е")
    if how == 3:
        return unicodedata.normalize("NFD", word)
    if how == 4:
        return word[0] + "\u0301" + word[1:]  # a stress mark
    if how == 5 and not word.isascii():
        return word.translate(str.maketrans("аеорсух", "aeopcyx")) if set(word) - set("аеорсух") else word
    return word


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[str], list[str], str]:
    """Different lexemes, one form of each, and a text that holds these forms in this order."""
    lexemes = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True))
    random = Random(draw(st.integers(0, 10**6)))  # noqa: S311 - repeatable
    forms = [spelled(random.choice(sorted(LEXEMES[lexeme])), random.randrange(7)) for lexeme in lexemes]
    text = "".join(form + random.choice(SEPARATORS) for form in forms)
    return lexemes, forms, text


@given(drawn=texts())
def test_a_text_mentions_each_of_its_words_in_any_form(drawn: tuple[list[str], list[str], str]) -> None:
    lexemes, forms, text = drawn
    for lexeme, form in zip(lexemes, forms, strict=True):
        assert mentions(lexeme, text)
        assert mentions(form, text)
        assert not mentions(f"-{lexeme}", text)
        start, end = match(lexeme, text).hits[0][1:]
        assert text[start:end] in forms


@given(text=st.text(max_size=300))
def test_any_text_mentions_its_own_words_as_they_are_written(text: str) -> None:
    words = WORD.findall(text)
    for word in words[:20]:
        assert mentions(f'"{word}"', text)
        assert not mentions(f'-"{word}"', text)
    if words:
        assert mentions('"' + " ".join(words[:8]) + '"', text)


@given(drawn=texts(), others=st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
def test_both_either_and_without_are_those_of_single_words(
    drawn: tuple[list[str], list[str], str], others: list[str]
) -> None:
    first, second = others
    text = drawn[2]
    a, b = mentions(first, text), mentions(second, text)
    assert mentions(f"{first} {second}", text) == (a and b)
    assert mentions(f"{first} | {second}", text) == (a or b)
    assert mentions(f"{first} -{second}", text) == (a and not b)
    assert mentions(f"-{first} -{second}", text) == (not a and not b)
    third = drawn[0][0]
    assert mentions(f"{first} | {third} {second}", text) == b, "| binds tighter"
    assert mentions(f"{second} {first} | {third}", text) == b


@given(drawn=texts(), data=st.data())
def test_a_phrase_is_words_together_in_their_order(
    drawn: tuple[list[str], list[str], str], data: st.DataObject
) -> None:
    lexemes, _, text = drawn
    first = data.draw(st.integers(0, len(lexemes) - 1))
    last = data.draw(st.integers(first + 1, len(lexemes)))
    assert mentions('"' + " ".join(lexemes[first:last]) + '"', text)
    assert not mentions('-"' + " ".join(lexemes[first:last]) + '"', text)
    others = [(lexeme, form) for lexeme in lexemes for of, form in zip(lexemes, drawn[1], strict=True) if of != lexeme]
    if last - first > 1 and not any(mentions(lexeme, form) for lexeme, form in others):
        assert not mentions('"' + " ".join(lexemes[first:last][::-1]) + '"', text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ребёнок", True),
        ("РЕБЕНОК", True),
        ("дeти", True),  # with a Latin e
        ("приехать", True),
        ("ипотека", True),
        ("ипотечный", False),
        ("ипотечный | ипотека", True),
        ("ипотека, пятница", True),
        ("ипотека,пятница", True),
        ("ипотека суббота", False),
        ('"на просмотр"', True),
        ("«на просмотре»", True),
        ('"просмотр на"', False),
        ('"просмотр пятница"', False),
        ("15 млн", True),
        ("15млн", True),
        ("15", True),
        ("5", False),
        ("1", False),
        ("у", True),
        ("я", False),
        ("хотя", False),
        ("рассрочка", False),
        ("-рассрочка", True),
        ("–рассрочка", True),
        ("просмотр -рассрочка", True),
        ("просмотр -ипотека", False),
        ('просмотр -"двое детей"', False),
        ("пятница 😀", True),
    ],
)
def test_a_query_means_what_it_says(query: str, expected: bool) -> None:
    assert mentions(query, TEXT) is expected


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("хотеть", "Хотя бюджет есть, решения нет.", False),
        ("хотя", "Клиент и семья хотят студию.", False),
        ("заинтересован", "Клиентка заинтересована.", True),
        ("ипотека", "Клиент берёт ипoтеку.", True),  # with a Latin o in the text
        ("mortgage", "Asks for a mоrtgage.", True),  # with a Cyrillic о in the text
        ("client's visit", "The client will visit.", True),
        ("3-комнатная", "Ищет 3-комнатную квартиру.", True),
        ("12,5", "Бюджет 12,5 млн", True),
        ("12,5", "Бюджет 12 млн, 5 человек", False),
    ],
)
def test_spellings_and_look_alikes(query: str, text: str, expected: bool) -> None:
    assert mentions(query, text) is expected


def test_forms_written_down_by_hand_are_found_and_their_neighbours_are_not() -> None:
    found = quality()
    assert len(LEXEMES) >= 50
    assert found.recall >= 0.97
    assert found.precision >= 0.90


def test_without_the_dictionary_forms_that_share_a_stem_are_found_and_the_query_says_so() -> None:
    assert not compile_query("ребёнок").fewer_forms
    with without_pymorphy3():
        assert compile_query("ребёнок").fewer_forms
        assert not compile_query("viewing 15").fewer_forms, "it has no more English forms with it"
        assert mentions("ипотека", TEXT)
        assert not mentions("ребёнок", TEXT)
        found = quality()
        assert found.precision >= 0.90
        assert 0.75 <= found.recall < 0.97
    assert mentions("ребёнок", TEXT)


def test_a_long_text_is_matched_in_steps_of_bounded_work() -> None:
    words = [f"слово{'абвгдежз'[number % 8]}{'иклмнопр'[number // 8 % 8]}" * 2 for number in range(15_000)]
    text = " ".join(words)
    query = compile_query(" | ".join(sorted(set(words))[:12]))
    steps = list(match_steps(query, text))
    assert len(steps) > 15_000 / 50
    assert max(steps) <= 1_000
    # Known words are work, too: 8 of them in ten microseconds.
    assert sum(match_steps(query, text)) >= 15_000 / 8.5


def test_a_text_of_one_endless_word_is_matched() -> None:
    assert not mentions("дом", "д" * 100_000)
    assert mentions("д" * 300, "д" * 300)
