"""Texts of any length: what is shown of them, and how much work lies between two turns of the event loop.

Work is counted, not timed: in the calls that Python makes between two steps, and in the work that the steps tell.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.event_loop import MOST_AT_ONCE, Turns, in_time
from liner_mcp.text.clean import clean
from liner_mcp.text.mask import MAX_INPUT_CHARACTERS, MOST_CHARACTERS, mask, quote_input, shown_steps
from liner_mcp.text.masking_steps import LETTERS_PER_DIGIT, LONGEST_SPAN, MOST_DIGITS, Steps, completed

PHONES = ["8 916 123-45-67", "+7 (916) 123-45-67", "89161234567", "8, 916, 123, 45, 67", "8&nbsp;916&nbsp;123-45-67"]
FILLERS = ["клиент ждёт ", "(", "! ", "x" * 900 + "@mail.ru ", "a@b.ru ", "тел. ", "договор № "]
HOSTILE = [
    "8(", "8 ", "8, ", "4", "4111 1111 1111 1111 ", "8 916 123-45-67 ", "8_916_123_45_67_", "тел 1234567, ",
    "8(" * 240 + "x ", "8, " * 160 + "x ", "4111 " * 90 + "x ", "a@b.ru ", "a точка b собака мейл точка ру ",
    "79 8-916-12-345-67 x", "8 916 123-45-67, 12 x ", "@a.a.", " at a dot com", "8 и ", "8, да, 9, так, ", "8 сто два ",
    "8О", "8 О", "8 и 916 и 123 и 45 и 67 x ", "семь 9 8 ", "a, собака, b точка ру ", " эт a точка", "a, точка, ",
    "@", "@ ", "«a»@b.ru ", "4111, 1111, 1111, 1111, x ", "4, 1, 1, 1, ", "4111 ... ",
]  # fmt: skip


# What is shown ------------------------------------------------------------------------------------------------------


def digits_told(text: str) -> int:
    """The most digits of a text that stand in one row, whatever parts them; those of a mask aside."""
    bare = re.sub(r"(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{4} \d{4}", "x", text)
    return max((len(re.sub(r"\D", "", row)) for row in re.findall(r"\d(?:[^\w*]{0,3}\d|&nbsp;\d)*", bare)), default=0)


@given(
    st.sampled_from(FILLERS),
    st.integers(0, MAX_INPUT_CHARACTERS + 100),
    st.sampled_from(PHONES),
    st.sampled_from(["", " и"]),
    st.sampled_from([40, 60, MAX_INPUT_CHARACTERS]),
)  # fmt: skip
@settings(max_examples=400)
def test_of_a_phone_anywhere_in_what_a_client_sent_no_more_than_two_digits_are_shown_back(
    filler: str, before: int, phone: str, behind: str, limit: int
) -> None:
    text = (filler * (before // len(filler) + 1))[:before] + " " + phone + behind + " ждёт" * 300
    told = quote_input(text, limit)
    assert len(told) <= limit
    assert digits_told(told) <= 2


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("ahead", range(24))
def test_a_phone_that_the_end_of_a_long_text_parts_is_not_shown_in_part(phone: str, ahead: int) -> None:
    start = ("клиент ждёт " * (MOST_CHARACTERS // 12 + 1))[: MOST_CHARACTERS - ahead - 1]
    told = mask(f"{start} {phone} и ещё клиент ждёт")
    assert len(told) <= MOST_CHARACTERS
    assert told.endswith("…")
    assert digits_told(told) == 0
    assert mask(told) == told


@pytest.mark.parametrize("text", ["клиент ждёт", "x" * 39, "", "x" * 40])
def test_a_short_text_is_shown_back_as_it_is(text: str) -> None:
    assert quote_input(text, 40) == text


def test_a_long_text_is_shown_back_by_its_beginning() -> None:
    assert quote_input("вчера " * 50_000, 12) == "вчера вчера…"


def test_a_row_of_digits_that_no_talk_holds_is_hidden_whole() -> None:
    wall = "8(" * LONGEST_SPAN
    assert mask(f"Код {wall} и телефон 8 916 123-45-67.") == f"Код {'*(' * LONGEST_SPAN} и телефон +7 *** ***-**-67."


def test_a_list_of_ids_or_phones_is_read_as_ever() -> None:
    ids = ", ".join(map(str, range(7000100, 7000150)))
    phones = ", ".join(["8 916 123-45-67"] * 25)
    assert mask(ids) == ids
    assert mask(phones) == ", ".join(["+7 *** ***-**-67"] * 25)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_adversarial_text_stays_as_it_was_shown_once(piece: str) -> None:
    masked = mask((piece * 60_000)[:50_000])
    assert mask(masked) == masked
    assert digits_told(masked.replace("4111", "")) <= max(6, digits_told(mask(piece)))


# How much work lies between two steps ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Calls:
    """How many calls of functions there were, Python's and the libraries' in C."""

    count: int = 0


@contextmanager
def calls_counted() -> Generator[Calls]:
    counted = Calls()

    def call(_: Any, event: str, __: Any) -> None:
        counted.count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(call)
    try:
        yield counted
    finally:
        sys.setprofile(before)


def most_calls_between_steps(steps: Steps) -> tuple[int, int, int]:
    """The most calls and the most work between two steps, and the work of all."""
    most_calls = most_work = work = 0
    while True:
        with calls_counted() as counted:
            done = next(steps, None)
        most_calls = max(most_calls, counted.count)
        if done is None:
            return most_calls, most_work, work
        most_work, work = max(most_work, done), work + done


@pytest.mark.parametrize("piece", HOSTILE)
def test_between_two_steps_there_is_no_more_work_however_long_the_text(piece: str) -> None:
    mask("+971 50 123 4567")  # the library of numbering plans is read at the first foreign phone
    size = 20_000
    most_calls, most_work, _ = most_calls_between_steps(shown_steps((piece * size)[:size]))
    assert most_work <= max(LONGEST_SPAN, size // LETTERS_PER_DIGIT)
    # A span of digits takes up to 20,000 calls, the whole text more than a million.
    assert most_calls < 25_000


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_work_for_one_text_has_an_end(piece: str) -> None:
    rules = 4
    for size in (MOST_CHARACTERS, 3 * MOST_CHARACTERS):
        work = sum(shown_steps((piece * size)[:size]))
        assert work <= rules * MOST_DIGITS + MOST_CHARACTERS


def test_at_signs_without_a_domain_count_as_work() -> None:
    assert sum(shown_steps("@ " * 10_000)) > 10_000


def test_an_ordinary_text_is_read_without_a_turn_between() -> None:
    ordinary = "Клиент ждёт звонка на 8 916 123-45-67, бюджет 12 500 000 ₽, почта ivan@mail.ru. " * 5
    assert sum(shown_steps(ordinary)) < MOST_AT_ONCE


@given(
    st.lists(st.sampled_from([*PHONES, "ivan@mail.ru", "4111 1111 1111 1111", "клиент ждёт", "12", "\n"]), max_size=60)
)
def test_a_text_masked_in_turns_is_the_text_masked_at_once(parts: list[str]) -> None:
    text = clean(" ".join(parts))
    assert anyio.run(Turns().run, shown_steps(text)) == mask(text) == completed(shown_steps(text))


HIDDEN = ["8(", "1 ", "8\u200b", "٨", "клиент ", "@a.", " dog", "<img", "*"]


@pytest.mark.parametrize("piece", HIDDEN)
def test_every_search_over_a_text_is_work_whatever_it_finds(piece: str) -> None:
    text = clean(piece * 100_000)[:MOST_CHARACTERS]
    searches = 2  # for addresses and for digits
    assert sum(shown_steps(text)) >= searches * (len(text) // LETTERS_PER_DIGIT)
    assert sum(shown_steps("")) >= searches  # a thousand short texts are work, too


# Turns ----------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_another_task_has_its_turn_while_a_long_text_is_masked() -> None:
    turns, order = Turns(), list[str]()

    async def other() -> None:
        order.append("other")

    async def masking() -> None:
        await turns.run(shown_steps(("8(" * 240 + "x ") * 20))
        order.append("masked")

    async with anyio.create_task_group() as group:
        group.start_soon(masking)
        group.start_soon(other)
    assert order == ["other", "masked"]


@pytest.mark.anyio
async def test_masking_ends_where_it_is_cancelled() -> None:
    done = False
    async with anyio.create_task_group() as group:

        async def masking() -> None:
            nonlocal done
            await Turns().run(shown_steps(("8(" * 240 + "x ") * 20))
            done = True

        group.start_soon(masking)
        group.start_soon(anyio.lowlevel.checkpoint)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert not done


@pytest.mark.anyio
async def test_short_texts_share_one_count_of_work() -> None:
    turns, order = Turns(), list[str]()

    async def other() -> None:
        order.append("other")

    async def masking() -> None:
        for _ in range(100):
            await turns.run(shown_steps("8 916 123-45-67, 12"))
        order.append("masked")

    async with anyio.create_task_group() as group:
        group.start_soon(masking)
        group.start_soon(other)
    assert order == ["other", "masked"]


@pytest.mark.anyio
@pytest.mark.parametrize("piece", HIDDEN)
async def test_each_of_many_long_texts_gives_other_tasks_a_turn(piece: str) -> None:
    turns, others, texts = Turns(), 0, 10
    text = clean(piece * 60_000)[:MOST_CHARACTERS]

    async def other() -> None:
        nonlocal others
        while True:
            await anyio.lowlevel.checkpoint()
            others += 1

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for _ in range(texts):
            await turns.run(shown_steps(text))
        group.cancel_scope.cancel()
    assert others >= texts * 2 * (len(text) // LETTERS_PER_DIGIT) // (2 * MOST_AT_ONCE)


@pytest.mark.virtual_time
@pytest.mark.anyio
async def test_what_is_done_by_the_deadline_is_kept() -> None:
    async def work(number: int) -> int:
        if number == 2:
            await anyio.sleep_forever()
        return number

    with anyio.fail_after(0.2):
        assert await in_time([0, 1, 2, 3], work) == [0, 1]
    assert await in_time([0, 1], work) == [0, 1]
