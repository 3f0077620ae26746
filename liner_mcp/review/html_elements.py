"""HTML as elements, so that no text can become markup: every text is cleaned and escaped when the page is written."""

from __future__ import annotations

import base64
import hashlib
from xml.etree.ElementTree import Element, tostring

from liner_mcp.text.clean import clean

Child = Element | str | int | None

_LINES = frozenset(
    {"article", "caption", "details", "div", "dl", "h2", "li", "p", "section", "tr"}
)  # for readers of the source


def element(tag: str, *children: Child, **attributes: str | int | None) -> Element:
    """An element. `class_` is class, `aria_label` is aria-label; children and attributes that are None are left out."""
    named = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items() if value is not None}
    made = Element(tag, named)
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None:
            _append_text(made, clean(str(child)))
    if tag in _LINES:
        made.tail = "\n"
    return made


def _append_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def document(*, title: str, language: str, style: str, body: Element) -> str:
    """A whole page that loads and runs nothing: its policy allows this one style, and no script, image or font."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    sheet = Element("style")
    sheet.text = style
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        sheet,
    )
    page = element("html", head, body, lang=language)
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"
