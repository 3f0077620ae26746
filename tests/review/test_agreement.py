"""Agreement of reviewers: textbook values, what cannot be compared, and files as people and killed runs leave them."""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import SetupError
from liner_mcp.review.agreement import Agreement, agreement, alpha_of
from liner_mcp.review.cards_csv import render_csv
from liner_mcp.review.scorecard import VerdictWord
from liner_mcp.review.verdict_file import VERDICTS, Reviewer, read_reviewer
from tests.review.cards import card, verdict

HEAD = "call_id,criterion,verdict\n"


def table(rows: dict[int, str], criterion: str = "a", name: str = "b.csv") -> Reviewer:
    """A person's verdicts on one criterion."""
    text = HEAD + "".join(f"{call_id},{criterion},{word}\n" for call_id, word in rows.items())
    return read_reviewer(name, text.encode())


def compared(*columns: list[str]) -> Agreement:
    """The agreement of reviewers whose verdicts on the same calls are given in order; an empty one is not given."""
    return agreement([table(dict(enumerate(words)), name=f"{at}.csv") for at, words in enumerate(columns)])


def words(letters: str) -> list[str]:
    return [{"y": "yes", "n": "no", "m": "not_mentioned", "c": "cannot_tell", ".": ""}[letter] for letter in letters]


@pytest.mark.parametrize(
    ("observers", "alpha"),
    [
        (["aabbdcccedda", "babbbccceddd"], 0.692),  # B: two observers, nominal data
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),  # C: missing data
    ],
    ids=["two observers", "four observers"],
)
def test_krippendorffs_own_examples_give_his_values(observers: list[str], alpha: float) -> None:
    """From "Computing Krippendorff's Alpha-Reliability" (2011). A point is a missing value."""
    values = sorted(set("".join(observers)) - {"."})
    units = zip(*observers, strict=True)
    counts = np.array([[unit.count(value) for value in values] for unit in units], dtype=float)
    assert alpha_of(counts) == pytest.approx(alpha, abs=5e-4)


def test_four_calls_of_five_with_the_same_verdict_are_little_where_nearly_all_are_yes() -> None:
    # 90 % of the verdicts of one reviewer are yes, and 80 % of the other's.
    (one,) = compared(words("y" * 18 + "nn"), words("y" * 15 + "nnnyn")).criteria
    assert (one.same, one.calls) == (16, 20)
    assert one.alpha == pytest.approx(0.235, abs=5e-4)
    # 90 % of both: no call has two noes, which is worse than chance.
    (one,) = compared(words("y" * 16 + "nnyy"), words("y" * 16 + "yynn")).criteria
    assert (one.same, one.calls) == (16, 20)
    assert one.alpha == pytest.approx(-0.083, abs=5e-4)


def test_full_agreement_is_one_and_has_an_interval_without_width() -> None:
    (one,) = compared(words("ynmc" * 10), words("ynmc" * 10)).criteria
    assert (one.alpha, one.interval) == (1.0, (1.0, 1.0))


def test_the_interval_is_the_same_every_time_and_narrower_with_more_calls() -> None:
    few = compared(words("yynnyynnyn"), words("yynnyynnny")).criteria
    many = compared(words("yynnyynnyn" * 20), words("yynnyynnny" * 20)).criteria
    assert compared(words("yynnyynnyn"), words("yynnyynnny")).criteria == few
    assert few[0].interval is not None
    assert many[0].interval is not None
    (low, high), (low_of_many, high_of_many) = few[0].interval, many[0].interval
    assert low < low_of_many < 0.6 < high_of_many < high


@pytest.mark.parametrize("letters", ["yyyy", "m"])
def test_alpha_is_not_defined_where_all_verdicts_are_the_same(letters: str) -> None:
    (one,) = compared(words(letters), words(letters)).criteria
    assert (one.same, one.alpha, one.interval) == (len(letters), None, None)


def test_draws_without_variation_are_left_out_and_counted() -> None:
    (one,) = compared(words("yyyyn"), words("yyyyy")).criteria
    assert one.alpha is not None
    assert one.interval is not None
    assert 250 < one.undefined_resamples < 400  # (4/5)^5 of 1,000


@given(st.lists(st.text("ynmc.", min_size=3, max_size=12), min_size=2, max_size=4))
def test_shares_and_alphas_are_within_their_bounds(columns: list[str]) -> None:
    shortest = min(map(len, columns))
    try:
        found = compared(*(words(one[:shortest]) for one in columns))
    except SetupError:
        judged_twice = [unit for unit in zip(*columns, strict=False) if len(unit) - unit.count(".") > 1]
        nothing_judged = [one for one in columns if not one[:shortest].strip(".")]
        assert nothing_judged or not judged_twice
        return
    (one,) = found.criteria
    assert 0 <= one.same <= one.calls
    assert one.calls - one.same == len(found.discuss)
    if one.alpha is not None:
        assert one.interval is not None
        assert -1 <= one.interval[0] <= one.interval[1] <= 1
        assert one.alpha <= 1


def test_three_reviewers_agree_where_all_verdicts_are_equal() -> None:
    found = compared(words("yyn."), words("ynny"), words("y..."))
    assert [(one.calls, one.same) for one in found.criteria] == [(3, 2)]
    assert found.calls == 3
    (only,) = found.discuss
    assert {file: judgement.verdict for file, judgement in only.judgements.items()} == {"0.csv": "yes", "1.csv": "no"}


def test_the_call_with_most_differences_is_discussed_first_with_the_quotes_of_both() -> None:
    ours: list[dict[str, VerdictWord]] = [{"a": "yes", "b": "yes"}, {"a": "yes", "b": "yes"}, {"a": "yes", "b": "no"}]
    theirs: list[dict[str, VerdictWord]] = [{"a": "yes", "b": "no"}, {"a": "no", "b": "no"}, {"a": "yes", "b": "no"}]
    found = agreement([scorecards("a.jsonl", ours), scorecards("b.jsonl", theirs)])
    assert [(one.call_id, one.criterion) for one in found.discuss] == [(1, "a"), (1, "b"), (0, "b")]
    assert found.discuss[0].judgements["a.jsonl"].quotes == ("agrees to the transfer",)


def scorecards(name: str, judged: list[dict[str, VerdictWord]], **changes: Any) -> Reviewer:
    text = "".join(card(number, one, **changes).line() for number, one in enumerate(judged))
    return read_reviewer(name, text.encode())


def test_verdicts_of_different_rubrics_are_not_compared() -> None:
    with pytest.raises(SetupError, match=r"different rubrics .* a has abc; b has xyz\."):
        agreement([scorecards("a", [{"a": "yes"}]), scorecards("b", [{"a": "yes"}], rubric_hash="xyz")])


def test_verdicts_on_different_summaries_are_left_out() -> None:
    one = scorecards("a", [{"a": "yes"}, {"a": "no"}])
    lines = card(0, {"a": "yes"}).line() + card(1, {"a": "yes"}, summary_hash="new").line()
    found = agreement([one, read_reviewer("b", lines.encode())])
    assert (found.calls, found.other_summaries, found.discuss) == (1, [1], [])


def test_files_without_a_common_call_are_refused_with_the_way_to_get_some() -> None:
    with pytest.raises(SetupError, match="--seed draws the same"):
        agreement([table({1: "yes"}), table({2: "yes"}, name="c.csv")])


def test_a_criterion_of_one_file_only_has_no_calls() -> None:
    found = agreement([table({1: "yes"}), scorecards("a", [{"b": "yes"}, {"a": "yes"}])])
    assert {one.criterion: (one.calls, one.alpha) for one in found.criteria} == {"a": (1, None), "b": (0, None)}


# Files ----------------------------------------------------------------------------------------------------------------


def verdicts(reviewer: Reviewer) -> dict[int, str]:
    return {call_id: judgement.verdict for (call_id, _), judgement in reviewer.judgements.items()}


def test_half_a_line_of_a_killed_run_is_left_out_even_within_a_character() -> None:
    whole, half = card(1, {"a": "yes"}).line(), card(2, {"a": "yes"}, agent="Ж").line().encode()
    found = read_reviewer("a.jsonl", whole.encode() + half[: half.index("Ж".encode()) + 1])
    assert verdicts(found) == {1: "yes"}
    assert found.left_out[0].startswith("Line 2 of a.jsonl was left out")


def test_lines_that_are_no_verdicts_are_left_out_and_named() -> None:
    lines = ['{"call_id":1,"criterion":"a","verdict":"yes"}', "[]", "7", '{"call_id":"x"}', "{", '{"call_id":2}']
    lines += ['{"call_id":3,"criterion":"a","verdict":"maybe"}', '{"call_id":4,"criterion":5,"verdict":"no"}', ""]
    found = read_reviewer("a.jsonl", "\n".join(lines).encode())
    assert verdicts(found) == {1: "yes"}
    assert found.left_out[0].startswith("Lines 2, 3, 4, 5, 6 and 2 more of a.jsonl were left out")


@pytest.mark.parametrize("call_id", ["1.7", "1e400", "NaN", "true", "[1]", "[" * 100_000])
def test_a_json_line_without_a_whole_call_id_is_left_out(call_id: str) -> None:
    lines = f'{{"call_id": {call_id}, "criterion": "a", "verdict": "yes"}}\n'
    lines += '{"call_id": 2, "criterion": "a", "verdict": "no"}\n'
    found = read_reviewer("a.jsonl", codecs.BOM_UTF8 + lines.encode())
    assert [call_id for call_id, _ in found.judgements] == [2]
    assert len(found.left_out) == 1


def test_the_last_of_several_verdicts_counts_and_the_call_is_named() -> None:
    text = card(1, {"a": "yes"}).line() + card(2).line() + card(2, {"a": "yes"}).line() + card(1, {"a": "no"}).line()
    found = read_reviewer("a.jsonl", text.encode())
    assert verdicts(found) == {1: "no", 2: "yes"}
    assert found.left_out == ["a.jsonl judges call 1 more than once; the last verdicts were used."]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_a_spreadsheets_file_is_read_in_every_form_in_which_it_is_saved(separator: str, encoding: str) -> None:
    lines = ["Call_ID|Criterion|Verdict|Quote", "1|a|Not mentioned|", "2|a| YES |бюджет; «да»", "3|a||", "|||", ""]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(line.split("|") for line in lines)
    found = read_reviewer("b.csv", out.getvalue().encode(encoding))
    assert verdicts(found) == {1: "not_mentioned", 2: "yes"}
    assert found.judgements[(2, "a")].quotes == ("бюджет; «да»",)
    assert found.left_out == []


def test_our_own_table_with_changed_verdicts_is_a_reviewers_file() -> None:
    cards = [card(1, {"a": "yes", "b": "no"}), card(2), card(3, {"a": "yes", "b": "yes"})]
    changed = render_csv(cards).replace("b,Is b so?,1,no,no", "b,Is b so?,1,no,cannot_tell")
    person = read_reviewer("person.csv", changed.encode("utf-8-sig"))
    found = agreement([read_reviewer("a.jsonl", "".join(one.line() for one in cards).encode()), person])
    assert {one.criterion: (one.calls, one.same) for one in found.criteria} == {"a": (2, 2), "b": (2, 1)}
    assert person.rubric_hashes == {"abc"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "lacks the column call_id"),
        (b"call_id;verdict\n1;yes\n", "lacks the column criterion"),
        (HEAD.encode(), "has no verdicts"),
        (card(1).line().encode(), "has no verdicts"),
        (b"{}", "has no verdicts"),
        (b"\x98\xff", "is not text in UTF-8"),
        ((HEAD + "1,a," + "x" * 200_000).encode(), "is not a table after line 1"),
    ],
)
def test_a_file_without_verdicts_is_refused_in_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(SetupError, match=rf"^x {sentence}"):
        read_reviewer("x", content)


def test_control_characters_of_a_quote_never_reach_a_terminal() -> None:
    line = {"call_id": 1, "criterion": "a\x1b[2J", "verdict": "yes", "quote": "\x1b]0;x\x07бюджет"}
    (key,) = read_reviewer("x", json.dumps(line).encode()).judgements.items()
    assert key[0][1] == "a[2J"
    assert key[1].quotes == ("]0;xбюджет",)


def test_the_verdicts_of_a_card_are_the_words_that_are_compared() -> None:
    assert set(VERDICTS) == {verdict("a", word).verdict for word in ("yes", "no", "not_mentioned", "cannot_tell")}
