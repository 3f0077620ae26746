"""Whose e-mail addresses are hidden, however they are spelled, and which words are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.text.emails import email_steps
from liner_mcp.text.masking_steps import completed


def mask_emails(text: str) -> str:
    return completed(email_steps(text))


HIDDEN = [
    # written
    ("ivan@mail.ru", "***@mail.ru"),
    ("Ivan.Petrov+flat_1@mail.example.co.uk", "***@mail.example.co.uk"),
    ("иван.петров@почта.рф", "***@почта.рф"),
    ("ivan@xn--80a1acny.xn--p1ai", "***@xn--80a1acny.xn--p1ai"),
    ("андреи\u0306@mail.ru", "***@mail.ru"),
    ("ivan＠mail．ru", "***＠mail．ru"),
    ("ivan @ mail.ru", "*** @ mail.ru"),
    ("ivan%40mail.ru", "***%40mail.ru"),
    ("'ivan@mail.ru'", "'***@mail.ru'"),
    ("почта:ivan@mail.ru, ждёт", "почта:***@mail.ru, ждёт"),
    ("ivan@mail.ru/anna@mail.ru", "***@mail.ru/***@mail.ru"),
    ("ivan@mail.ru@mail.com", "***@***@mail.com"),
    ("-@mail.ru", "***@mail.ru"),
    ("89161234567@mail.ru", "***@mail.ru"),
    ("8 916 123-45-67@mail.ru", "***@mail.ru"),
    ("https://anna:secret@example.com/x", "https://anna:***@example.com/x"),
    # with another sign
    ("ivan (at) mail.ru", "*** (at) mail.ru"),
    ("ivan[at]mail[dot]ru", "***[at]mail[dot]ru"),
    ("ivan(собака)mail.ru", "***(собака)mail.ru"),
    ("ivan@mail точка ру", "***@mail точка ру"),
    # said aloud
    ("иван собака мейл точка ру", "*** собака мейл точка ру"),
    ("Иван Собака Мейл Точка Ру", "*** Собака Мейл Точка Ру"),
    ("почта иван точка петров 85 собака яндекс точка ру", "почта *** собака яндекс точка ру"),
    ("и в а н собака мейл.ру", "*** собака мейл.ру"),
    ("ivan dot petrov at example dot com", "*** at example dot com"),
    ("ivan underscore p dog mail dot ru", "*** dog mail dot ru"),
]
SPARED = [
    "@ivanov",
    "ivan@localhost",
    "пишите в телеграм @ivanov.",
    "https://t.me/@ivanov/1",
    "maps/@55.751244,37.618423",
    "5 @ 10",
    "клиент и его собака. Ру",
    "у клиента собака, поэтому нужен двор",
    "собака точка",
    "Look at sunrise.com",
    "The client looked at the flat",
    "meet at noon",
    "***@mail.ru",
    "*** собака мейл точка ру",
    "sunrise-park.ru",
]
PIECE = st.sampled_from(
    ["ivan", "иван", "@", "%40", "(at)", "at", "собака", "точка", "dot", "mail", "mail.ru", "ру", "com", "***", "8 916",
     "7", ".", "-", "\n", "'"]
)  # fmt: skip


@pytest.mark.parametrize(("text", "masked"), HIDDEN)
def test_the_name_goes_and_the_domain_stays(text: str, masked: str) -> None:
    assert mask_emails(text) == masked
    assert mask_emails(f"Адрес: {text}; ждёт письма") == f"Адрес: {masked}; ждёт письма"


@pytest.mark.parametrize("text", SPARED)
def test_what_is_no_address_stays(text: str) -> None:
    assert mask_emails(text) == text


@given(st.emails(domains=st.sampled_from(["mail.ru", "example.co.uk", "почта.рф"])), st.text("абвя ,\n", max_size=9))
def test_no_address_keeps_the_end_of_its_name(address: str, around: str) -> None:
    name, _, domain = address.rpartition("@")
    if name[-1] in "*/?^`{|}":  # signs that no provider lets into a name, and our own
        return
    assert f"{name[-1]}@{domain}" not in mask_emails(f"{around} {address} {around}")


@given(st.lists(PIECE, max_size=14), st.sampled_from(["", " "]))
def test_masking_twice_is_masking_once(pieces: list[str], glue: str) -> None:
    once = mask_emails(glue.join(pieces))
    assert mask_emails(once) == once


@pytest.mark.parametrize("written", ["ivan[@]mail.ru", "ivan (@) mail.ru", "ivan{@}mail.ru"])
def test_a_framed_sign_hides_no_name(written: str) -> None:
    masked = mask_emails(f"Пишите {written} вечером")
    assert "ivan" not in masked
    assert masked.endswith("mail.ru вечером")
