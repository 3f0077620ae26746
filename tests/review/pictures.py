"""The pictures of the report in docs/images, made of the demo's calls. They need Chromium:

.venv/bin/python -m tests.review.pictures
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from liner_mcp.demo import Dataset
from liner_mcp.review.report import render_report
from liner_mcp.review.rubric import read_rubric
from tests.conftest import NOW
from tests.review.demo_cards import demo_cards
from tests.support.chromium import run_chromium

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
DAYS = 5
WIDE, NARROW = 1100, 360


def page() -> str:
    rubric = read_rubric("transfers")
    cards = demo_cards(Dataset.generate(now=NOW), rubric, days=DAYS)
    title = "Call review of 2026-11-15 to 2026-11-19"
    return render_report(cards, title=title, generated_at="2026-11-20 03:15", rubric=rubric)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, run_chromium(Path(folder, "profile")) as browser:
        file = Path(folder, "report.html")
        file.write_text(page(), encoding="utf-8")
        for name, width, dark, anchor, height in (
            ("review-report.png", WIDE, False, "body", 1250),
            ("review-calls.png", WIDE, True, "#cards", 900),
            ("review-phone.png", NARROW, False, "body", 1250),
        ):
            shown = browser.open(file.as_uri(), width=width, dark=dark)
            top = int(shown.evaluate(f"document.querySelector('{anchor}').getBoundingClientRect().top"))
            (IMAGES / name).write_bytes(shown.picture(top=top, height=height))


if __name__ == "__main__":
    main()
