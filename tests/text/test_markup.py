"""Markdown and HTML in a text of Liner: a client that renders the masked text fetches and runs nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask

HOST = "https://collector.example"
LIVE = [
    f"<img src={HOST}/x>",
    f"<IMG SRC='{HOST}/x'>",
    f"<img\nsrc={HOST}/x>",
    f"<iframe src={HOST}></iframe>",
    f"<link rel=stylesheet href={HOST}/x.css>",
    f"<script src={HOST}/x.js></script>",
    "<script>fetch('/x')</script>",
    f"<style>@import '{HOST}/x.css'</style>",
    f"<video poster={HOST}/x></video>",
    f"<video src={HOST}/x autoplay>",
    f"<audio src={HOST}/x autoplay>",
    f"<source srcset={HOST}/x>",
    f"<picture><source srcset={HOST}/x></picture>",
    f"<object data={HOST}/x></object>",
    f"<embed src={HOST}/x>",
    f"<svg><image href={HOST}/x /></svg>",
    "<svg onload=alert(1)>",
    f"<svg><use href={HOST}/x#a></use></svg>",
    f"<input type=image src={HOST}/x>",
    f"<body background={HOST}/x>",
    f"<table background={HOST}/x><tr><td>1</td></tr></table>",
    f"<div style='background:url({HOST}/x)'>1</div>",
    f"<p style=\"background-image:url('{HOST}/x')\">1",
    f"<meta http-equiv=refresh content='0;url={HOST}'>",
    f"<base href={HOST}/>",
    f"<form action={HOST}><button>1</button></form>",
    f"<track src={HOST}/x>",
    f"<a ping={HOST}/x href=/>1</a>",
    f"<frame src={HOST}>",
    "<math><mtext><mglyph><style>",
    "</div><details open ontoggle=alert(1)>",
    "<x-y onclick=alert(1)>",
    "<!-- comment -->",
    "<!DOCTYPE html>",
    f"<?xml-stylesheet href='{HOST}/x'?>",
    "<![CDATA[x]]>",
    f"<\u200bimg src={HOST}/x>",  # invisible characters are removed first
    f"<\ufeffscript src={HOST}/x></script>",
    f"![a]({HOST}/x)",
    f"![a][ref]\n\n[ref]: {HOST}/x",
    f"![ref]\n\n[ref]: {HOST}/x",
    f"[![a]({HOST}/x)]({HOST})",
    f"!\u200b[a]({HOST}/x)",
]
NOT_LIVE = [  # a Markdown renderer shows these as text, so they stay
    f"＜img src={HOST}/x＞",
    f"&lt;img src={HOST}/x&gt;",
    f"&#60;img src={HOST}/x&#62;",
    f"&#33;[a]({HOST}/x)",
    f"！[a]({HOST}/x)",
    "a < b, 3<5, <3",
    "цена <м> и <1>",
]


def live_parts(text: str) -> list[Token]:
    """The HTML and the images of a text that a Markdown renderer passes on to a browser."""
    tokens = MarkdownIt("commonmark", {"html": True}).parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    return [token for token in (*tokens, *inner) if token.type in {"html_inline", "html_block", "image"}]


@pytest.mark.parametrize("text", LIVE)
@pytest.mark.parametrize("before", ["", "Клиент сказал: ", "- ", "> ", "| "])
def test_no_renderer_fetches_or_runs_what_a_text_holds(text: str, before: str) -> None:
    plain = clean(before + text)
    assert live_parts(plain)
    masked = mask(plain)
    assert not live_parts(masked)
    assert mask(masked) == masked
    assert masked.replace(" ", "") == plain.replace(" ", "")


@pytest.mark.parametrize("text", NOT_LIVE)
def test_what_no_renderer_takes_for_markup_stays(text: str) -> None:
    assert not live_parts(text)
    assert mask(text) == text


@given(st.text(st.sampled_from("<>!/?[]() \n\u200bimga-`*&;\"'="), max_size=30))
def test_no_text_is_live_when_it_is_masked(text: str) -> None:
    assert not live_parts(mask(clean(text)))
