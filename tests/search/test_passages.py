"""A passage is a literal part of the shown text that shows the hit and cuts no mask."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.search.matching import compile_query, match_steps
from liner_mcp.search.passages import PASSAGE_CHARACTERS, passage
from liner_mcp.text.mask import mask
from liner_mcp.text.masking_steps import completed

PRIVATE = ("+7 916 123-45-67", "8 (495) 123-45-67", "4276 3800 1234 5679", "anna.petrova@mail.ru", "+971 50 123 4567")
FILLERS = ("клиент", "ищет", "студию", "в", "центре,", "и", "паркинг.", "Просит", "перезвонить", "😀", "viewing")
HIT = "ипотека"


@st.composite
def shown_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A masked text that mentions the word once or more, and its masks."""
    random = Random(draw(st.integers(0, 10**6)))  # noqa: S311 - repeatable
    words = [random.choice((*FILLERS, random.choice(PRIVATE))) for _ in range(draw(st.integers(0, 60)))]
    for _ in range(draw(st.integers(1, 3))):
        words.insert(random.randint(0, len(words)), random.choice(("ипотеку", "Ипотекой,", "ипотека")))
    return mask(" ".join(words)), [mask(one) for one in PRIVATE]


@given(drawn=shown_texts(), size=st.integers(20, PASSAGE_CHARACTERS))
def test_a_passage_is_a_literal_part_that_shows_the_hit_and_cuts_no_mask(
    drawn: tuple[str, list[str]], size: int
) -> None:
    text, masks = drawn
    hits = completed(match_steps(compile_query(HIT), text)).hits
    found = passage(text, hits, size)
    literal = found.removeprefix("…").removesuffix("…")
    assert literal in text
    assert any(text[start:end] in literal for _, start, end in hits)
    longest_mask = max(map(len, masks))
    assert len(literal) <= size + 2 * longest_mask
    begins = [index for index in range(len(text)) if text.startswith(literal, index)]
    assert any(not _cuts_a_mask(text, masks, begin, begin + len(literal)) for begin in begins)
    assert found.startswith("…") == (not any(begin == 0 for begin in begins)) or len(begins) > 1


def _cuts_a_mask(text: str, masks: list[str], start: int, end: int) -> bool:
    places = [(begin, begin + len(one)) for one in masks for begin in range(len(text)) if text.startswith(one, begin)]
    return any(begin < start < stop or begin < end < stop for begin, stop in places)


def test_a_passage_shows_several_words_where_they_stand_together() -> None:
    text = "Спрашивает про ипотеку. " + "Другое. " * 40 + "Взнос и ипотека обсуждались, ребёнок идёт в школу."
    hits = completed(match_steps(compile_query("ипотека ребёнок взнос"), text)).hits
    found = passage(text, hits)
    assert "Взнос" in found
    assert "ребёнок" in found
    assert found.endswith("школу.")


def test_a_hit_inside_a_mask_shows_the_whole_mask() -> None:
    text = "слово " * 100 + mask("телефон +7 916 123-45-67") + " слово" * 100
    hits = completed(match_steps(compile_query("67"), text)).hits
    assert "+7 *** ***-**-67" in passage(text, hits, 20)


def test_a_text_without_spaces_is_cut_around_the_hit() -> None:
    text = "точка." * 100 + "ипотека" + ".точка" * 100
    hits = completed(match_steps(compile_query(HIT), text)).hits
    assert passage(text, hits) == "…ипотека…"


def test_a_passage_cuts_no_number_and_no_negation_from_its_word() -> None:
    around = "Ещё слово о погоде. " * 12
    for words in ("Бюджет 12 500 000 рублей", "Совсем не очень хочет", "Does not want to", "He doesn't need"):
        for gap in range(60):
            text = f"{around}{words} {'я ' * gap}ипотека {around}"
            found = passage(text, completed(match_steps(compile_query("ипотека"), text)).hits)
            for part, whole in (
                ("000", "12 500 000"),
                ("хочет", "не очень хочет"),
                ("want", "not want"),
                ("need", "doesn't need"),
                ("to я", "not want to я"),
            ):
                assert whole in found or part not in found, found


def test_a_passage_of_many_words_that_stand_everywhere_is_cut_in_bounded_time() -> None:
    text = "ипотека первый взнос " * 2_000
    hits = completed(match_steps(compile_query("ипотека взнос " * 25), text)).hits
    assert len(hits) <= 200
    assert "взнос" in passage(text, hits)


def test_a_passage_among_endless_masks_and_numbers_is_short() -> None:
    for endless in ("*" * 5_000, "* " * 5_000, "123 " * 5_000, "не " * 5_000, "д" * 5_000):
        text = f"{endless} ипотека {endless}"
        found = passage(text, completed(match_steps(compile_query("ипотека"), text)).hits)
        assert "ипотека" in found
        assert len(found) <= PASSAGE_CHARACTERS + 100
