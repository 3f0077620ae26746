"""Agreement between reviewers on the same calls, per criterion. Pure.

The share of equal verdicts alone misleads: where nearly every call is a yes, two reviewers agree by chance. So
Krippendorff's alpha stands beside it: 1 is full agreement, 0 is what chance gives, and less is worse than chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np

from liner_mcp.errors import SetupError
from liner_mcp.review.verdict_file import VERDICTS, Judgement, Reviewer

RESAMPLES = 1_000  # of the bootstrap; the ends of the interval then move by about 0.01 from seed to seed
SEED = 0  # the same files give the same interval
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True)
class CriterionAgreement:
    """`calls` were judged by at least two reviewers; on `same` of them all verdicts are equal.

    `alpha` is None where it is not defined: no such call, or the same verdict everywhere. `interval` leaves out the
    `undefined_resamples`, in which all verdicts were the same.
    """

    criterion: str
    calls: int
    same: int
    alpha: float | None
    interval: tuple[float, float] | None
    undefined_resamples: int = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One criterion of one call on which verdicts differ; `judgements` by file."""

    call_id: int
    criterion: str
    judgements: dict[str, Judgement]


@dataclass(frozen=True, slots=True)
class Agreement:
    """`calls` are those that at least two reviewers judged. The call with most differences comes first in `discuss`."""

    calls: int
    criteria: list[CriterionAgreement]
    discuss: list[Disagreement]
    other_summaries: list[int]


def agreement(reviewers: Sequence[Reviewer]) -> Agreement:
    """Compare the verdicts of at least two reviewers.

    Calls whose summaries differ between the reviewers are left out (`other_summaries`): their verdicts are about
    different texts. Raises: SetupError for different rubrics, and where nothing was judged twice.
    """
    _check_rubrics(reviewers)
    pairs: dict[tuple[int, str], dict[str, Judgement]] = {}
    for reviewer in reviewers:
        for key, judgement in reviewer.judgements.items():
            pairs.setdefault(key, {})[reviewer.file] = judgement
    others = {call_id for (call_id, _), judged in pairs.items() if _summaries_differ(judged)}
    shared = {key: judged for key, judged in pairs.items() if len(judged) > 1 and key[0] not in others}
    if not shared:
        raise SetupError(
            "No criterion of a call was judged in two of these files, on the same summary. Review the same calls with "
            "the same rubric; --sample with the same --seed draws the same ones."
        )
    criteria = list(dict.fromkeys(criterion for _, criterion in pairs))
    return Agreement(
        len({call_id for call_id, _ in shared}),
        [
            _agreement_on(criterion, [judged for (_, other), judged in shared.items() if other == criterion])
            for criterion in criteria
        ],
        _to_discuss(shared, criteria),
        sorted(others),
    )


def _check_rubrics(reviewers: Sequence[Reviewer]) -> None:
    hashes = set[str]().union(*(reviewer.rubric_hashes for reviewer in reviewers))
    if len(hashes) > 1:
        which = "; ".join(
            f"{reviewer.file} has {' and '.join(sorted(reviewer.rubric_hashes))}"
            for reviewer in reviewers
            if reviewer.rubric_hashes
        )
        raise SetupError(f"Verdicts of different rubrics cannot be compared. Rubric hashes: {which}.")


def _summaries_differ(judged: dict[str, Judgement]) -> bool:
    return len({one.summary_hash for one in judged.values()} - {None}) > 1


def _agreement_on(criterion: str, calls: Sequence[dict[str, Judgement]]) -> CriterionAgreement:
    """`calls` has the judgements of each call that was judged at least twice."""
    counts = np.zeros((len(calls), len(VERDICTS)))
    for row, judged in zip(counts, calls, strict=True):
        for judgement in judged.values():
            row[VERDICTS.index(judgement.verdict)] += 1
    same = int((np.count_nonzero(counts, axis=1) == 1).sum())
    alpha = alpha_of(counts)
    if alpha is None:
        return CriterionAgreement(criterion, len(calls), same, None, None)
    draws = np.random.default_rng(SEED).integers(0, len(calls), (RESAMPLES, len(calls)))
    defined = [one for draw in draws if (one := alpha_of(counts[draw])) is not None]
    low, high = (float(end) for end in np.percentile(defined, INTERVAL)) if defined else (alpha, alpha)
    return CriterionAgreement(criterion, len(calls), same, alpha, (low, high), RESAMPLES - len(defined))


def alpha_of(counts: np.ndarray) -> float | None:
    """Krippendorff's alpha for names (nominal) from the number of each verdict on each call; None if not defined."""
    if np.count_nonzero(counts.sum(axis=0)) < 2:  # nothing varies, so there is no disagreement to expect
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _to_discuss(shared: dict[tuple[int, str], dict[str, Judgement]], criteria: Sequence[str]) -> list[Disagreement]:
    found = [
        Disagreement(call_id, criterion, judged)
        for (call_id, criterion), judged in shared.items()
        if len({one.verdict for one in judged.values()}) > 1
    ]
    count: dict[int, int] = {}
    for one in found:
        count[one.call_id] = count.get(one.call_id, 0) + 1
    return sorted(found, key=lambda one: (-count[one.call_id], one.call_id, criteria.index(one.criterion)))
