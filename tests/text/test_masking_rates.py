"""How many spellings the masks find, how many ordinary numbers they change, and what the documentation says."""

from pathlib import Path

import pytest

from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask
from tests.text.masking_rates import IN_WORDS, ORDINARY, measured_rates, texts_by_kind

SPELLINGS = [kind for kind in texts_by_kind() if not kind.startswith(ORDINARY) and kind != IN_WORDS]
ORDINARY_KINDS = [kind for kind in texts_by_kind() if kind.startswith(ORDINARY)]
RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_corpus_is_large_enough_for_its_rates() -> None:
    assert sum(len(texts_by_kind()[kind]) for kind in SPELLINGS) >= 300
    assert sum(len(texts_by_kind()[kind]) for kind in ORDINARY_KINDS) >= 200


@pytest.mark.parametrize("kind", SPELLINGS)
def test_at_least_97_of_100_spellings_are_masked(kind: str) -> None:
    rate = measured_rates()[kind]
    assert len(rate.wrong) <= 0.03 * rate.texts, "\n".join(rate.wrong)


def test_at_most_one_ordinary_number_of_100_is_changed() -> None:
    wrong = [text for kind in ORDINARY_KINDS for text in measured_rates()[kind].wrong]
    texts = sum(measured_rates()[kind].texts for kind in ORDINARY_KINDS)
    assert len(wrong) <= 0.01 * texts, "\n".join(wrong)


def test_a_text_without_masks_counts_as_readable() -> None:
    for kind in SPELLINGS:
        shown = [clean(text.replace("[[", "").replace("]]", "")) for text in texts_by_kind()[kind]]
        assert len(shown) == len(set(shown))
        assert all(mask(text) != text for text in shown if text not in "\n".join(measured_rates()[kind].wrong))


def test_the_documentation_has_the_measured_rates() -> None:
    page = " ".join(RELIABILITY.read_text(encoding="utf-8").split())
    rates = measured_rates()
    texts, missed = (
        sum(numbers) for numbers in zip(*((rates[k].texts, len(rates[k].wrong)) for k in SPELLINGS), strict=True)
    )
    assert f"{texts - missed} of {texts} spellings are masked" in page
    ordinary = [rates[kind] for kind in ORDINARY_KINDS]
    changed = sum(len(rate.wrong) for rate in ordinary)
    assert f"{changed or 'none'} of {sum(rate.texts for rate in ordinary)} ordinary numbers is changed" in page
