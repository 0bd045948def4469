"""The mathematics of `confidence.json`: fit two small logistic models on judged questions, and say honestly how good
they are. Every figure is cross-validated by group (article, document), so that no model is judged on documents that it
was fitted on. It knows nothing of libraries and searches; `ingest.calibrating` brings the cases.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bot.evidence.calibrated import Model, Point, Rates
from bot.quality import risk

FOLDS = 8
REGULARISATION = 0.05  # scikit-learn's C, with the weights of a set summing to `TOGETHER`
TOGETHER = 1_000
MOST_RISK = 0.15
DEFAULT_RISK = 0.175  # six of the 35 unanswerable questions about the sample company
PLACES = 50  # points of the curve
BUSINESS = ("sample", "clapnq")  # the threshold is set by these; the unanswerable half of squad2 is adversarial

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One judged question of a `set`: its signs, whether it is answerable, whether the best passage holds the right
    answer, the `group` that it must not be parted from, and the best chunk's cosine, which is the baseline."""

    set: str
    signs: Mapping[str, float]
    answerable: bool
    right: bool
    group: str
    similarity: float


@dataclass(frozen=True)
class Row:
    """What one set shows, by confidence and by the baseline: `separation` is the area under the ROC curve of
    answerable against not; `area` under the risk-coverage curve (lower is better) with its 95 % interval, where an
    answer is right if the question is answerable and the best passage holds it; at the threshold, and at the one at
    which 15 % of the unanswerable are answered, the share answered of the answerable and of the unanswerable; and of
    those answerable and answered at the threshold, the share whose best passage holds the answer."""

    set: str
    answerable: int
    unanswerable: int
    separation: float
    separation_similarity: float
    area: float
    area_low: float
    area_high: float
    area_similarity: float
    at_threshold: Rates
    answered_at_15: float
    answered_at_15_similarity: float
    right_passage: float


def fit(cases: Sequence[Case], names: Sequence[str]) -> Model:
    """A logistic regression in which every set weighs the same, and in it the answerable as much as the rest, so that
    the confidence is for even odds. A sign whose weight comes out negative is left out, and it is fitted again: each
    is made to speak for an answer, and what speaks against it for one only beside others is a quirk of the sets."""
    kept = list(names)
    weights = _weights(cases)
    target = np.array([case.answerable for case in cases])
    while True:
        values = _matrix(cases, kept)
        mean = np.average(values, axis=0, weights=weights)
        spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights)) + 1e-9
        model = LogisticRegression(C=REGULARISATION, max_iter=3_000)
        model.fit((values - mean) / spread, target, sample_weight=weights)
        slopes = model.coef_[0]
        if len(kept) == 1 or (slopes >= 0).all():
            break
        kept.pop(int(np.argmin(slopes)))
    steep = slopes / spread
    weighed = {name: round(float(value), 3) for name, value in zip(kept, steep, strict=True) if value >= 0.005}
    return Model(round(float(model.intercept_[0] - steep @ mean), 3), weighed)


def anchored(model: Model, sign: str) -> Model:
    """The same order of cases, on the scale of one sign in log odds: where all other signs are 1 the confidence is what
    that sign says, and they can only lower it. So one threshold serves before an answer and after it."""
    unit = model.weights[sign]
    weights = {name: 1.0 if name == sign else round(weight / unit, 3) for name, weight in model.weights.items()}
    return Model(round(-sum(weight for name, weight in weights.items() if name != sign), 3), weights)


def cross_validated(cases: Sequence[Case], names: Sequence[str]) -> list[float]:
    """Each case's confidence by a model that has seen nothing of its group."""
    folds = _folds(cases)
    confidences = [0.0] * len(cases)
    for fold in sorted(set(folds)):
        model = fit([case for case, its in zip(cases, folds, strict=True) if its != fold], names)
        for place, (case, its) in enumerate(zip(cases, folds, strict=True)):
            if its == fold:
                confidences[place] = model.probability(case.signs)
    return confidences


def threshold(cases: Sequence[Case], confidences: Sequence[float], sets: Sequence[str]) -> float:
    """The lowest threshold at which none of these sets has more than `DEFAULT_RISK` of its unanswerable questions
    answered."""
    return max(risk.threshold_for(*_of(cases, confidences, name)[:2], DEFAULT_RISK) for name in sets)


def curve(cases: Sequence[Case], confidences: Sequence[float]) -> tuple[Point, ...]:
    """The places of the slider, from nothing answered to everything, evenly along the confidences that occur."""
    places = np.unique(np.round(np.quantile(confidences, np.linspace(0, 1, PLACES)), 3))
    points = []
    for place in places:
        sets = {name: risk.rates(*_of(cases, confidences, name)[:2], float(place)) for name in _sets(cases)}
        coverage = float(np.mean([rates.coverage for rates in sets.values()]))
        points.append(
            Point(float(place), round(coverage, 4), round(float(np.mean([r.risk for r in sets.values()])), 4), sets)
        )
    return tuple(points)


def rows(cases: Sequence[Case], confidences: Sequence[float], at: float) -> list[Row]:
    """The table: a row a set."""
    return [_row(name, cases, confidences, at) for name in _sets(cases)]


def _row(name: str, cases: Sequence[Case], confidences: Sequence[float], at: float) -> Row:
    sure, answerable, right = _of(cases, confidences, name)
    similar = [case.similarity for case in cases if case.set == name]
    low, high = risk.area_interval(sure, right)
    told = [good for one, can, good in zip(sure, answerable, right, strict=True) if can and one >= at]
    return Row(
        set=name,
        answerable=sum(answerable),
        unanswerable=len(answerable) - sum(answerable),
        separation=risk.separation(sure, answerable),
        separation_similarity=risk.separation(similar, answerable),
        area=risk.area(sure, right),
        area_low=low,
        area_high=high,
        area_similarity=risk.area(similar, right),
        at_threshold=risk.rates(sure, answerable, at),
        answered_at_15=_answered_at(sure, answerable),
        answered_at_15_similarity=_answered_at(similar, answerable),
        right_passage=sum(told) / len(told) if told else 0.0,
    )


def _answered_at(confidences: Sequence[float], answerable: Sequence[bool]) -> float:
    return risk.coverage_at(confidences, answerable, MOST_RISK)


def _of(cases: Sequence[Case], confidences: Sequence[float], name: str) -> tuple[list[float], list[bool], list[bool]]:
    chosen = [(sure, case) for sure, case in zip(confidences, cases, strict=True) if case.set == name]
    return [sure for sure, _ in chosen], [case.answerable for _, case in chosen], [case.right for _, case in chosen]


def _sets(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(case.set for case in cases))


def _weights(cases: Sequence[Case]) -> Matrix:
    kinds = [(case.set, case.answerable) for case in cases]
    share = {kind: TOGETHER / 2 / kinds.count(kind) for kind in set(kinds)}
    return np.array([share[kind] for kind in kinds])


def _matrix(cases: Sequence[Case], names: Sequence[str]) -> Matrix:
    return np.array([[case.signs.get(name, 0.0) for name in names] for case in cases], dtype=float)


def _folds(cases: Sequence[Case]) -> list[int]:
    """A fold for each group; the largest groups of a set (squad2 has eight articles) each get their own."""
    groups: dict[str, dict[str, int]] = {}
    for case in cases:
        sizes = groups.setdefault(case.set, {})
        sizes[case.group] = sizes.get(case.group, 0) + 1
    fold_of = {}
    for name, sizes in groups.items():
        filled = [0] * FOLDS
        for group in sorted(sizes, key=lambda one: (-sizes[one], zlib.crc32(one.encode()))):
            least = filled.index(min(filled))
            fold_of[name, group] = least
            filled[least] += sizes[group]
    return [fold_of[case.set, case.group] for case in cases]
