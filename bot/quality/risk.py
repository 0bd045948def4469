"""Answer or abstain: what a threshold on confidence costs and saves (Geifman & El-Yaniv 2017, arXiv:1705.08500).

`confidences` and `right` go together, question by question; `right` says whether an answer would have been right.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.evidence.calibrated import Rates
from bot.quality.intervals import LEVEL, SAMPLES, SEED

Numbers = Sequence[float] | NDArray[np.float64]
Flags = Sequence[bool] | NDArray[np.bool_]


def curve(confidences: Numbers, right: Flags) -> list[tuple[float, float]]:
    """(coverage, risk) from the most certain question to all of them: the share of all questions that is answered, and
    the share of these answers that is wrong. Questions of equal confidence are answered together."""
    sure, good = np.asarray(confidences, float), np.asarray(right, bool)
    order = np.argsort(-sure, kind="stable")
    answered = np.arange(1, len(sure) + 1)
    wrong = np.cumsum(~good[order])
    last_of_equals = np.flatnonzero(np.append(np.diff(sure[order]) != 0, len(sure) > 0))
    return [(float(answered[at] / len(sure)), float(wrong[at] / answered[at])) for at in last_of_equals]


def area(confidences: Numbers, right: Flags) -> float:
    """The area under the risk-coverage curve: the mean risk over all coverages, lower is better, 0..1."""
    points = curve(confidences, right)
    before = [0.0, *(coverage for coverage, _ in points[:-1])]
    return sum((coverage - last) * risk for (coverage, risk), last in zip(points, before, strict=True))


def area_interval(confidences: Numbers, right: Flags, seed: int = SEED) -> tuple[float, float]:
    """The ends of the area's 95 % bootstrap interval over questions."""
    sure, good = np.asarray(confidences, float), np.asarray(right, bool)
    drawn = np.random.default_rng(seed).integers(0, len(sure), (SAMPLES // 4, len(sure)))
    areas = [area(sure[rows], good[rows]) for rows in drawn]
    low, high = np.quantile(areas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def separation(confidences: Numbers, right: Flags) -> float:
    """The area under the ROC curve: how often a right one is more certain than a wrong one; .5 is chance."""
    sure, good = np.asarray(confidences, float), np.asarray(right, bool)
    if not good.any() or good.all():
        return float("nan")
    difference = sure[good][:, None] - sure[~good][None, :]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def rates(confidences: Numbers, answerable: Flags, threshold: float) -> Rates:
    """What is answered at a threshold, of the answerable and of the unanswerable questions."""
    answered, can = np.asarray(confidences, float) >= threshold, np.asarray(answerable, bool)
    return Rates(_share(answered[can]), _share(answered[~can]))


def threshold_for(confidences: Numbers, answerable: Flags, most_risk: float) -> float:
    """The lowest threshold (two decimals) at which at most this share of the unanswerable questions is answered."""
    return next(
        (step / 100 for step in range(101) if rates(confidences, answerable, step / 100).risk <= most_risk),
        1.0,
    )


def coverage_at(confidences: Numbers, answerable: Flags, most_risk: float) -> float:
    """The share of the answerable questions that can be answered with at most this share of the unanswerable ones."""
    sure, can = np.asarray(confidences, float), np.asarray(answerable, bool)
    refused = np.sort(sure[~can])[::-1]
    let_through = int(most_risk * len(refused))
    return _share(sure[can] > refused[let_through]) if let_through < len(refused) else _share(sure[can] > -np.inf)


def _share(flags: NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 4) if flags.size else 0.0
