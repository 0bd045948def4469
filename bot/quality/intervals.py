"""How sure a figure is: bootstrap intervals over questions (Efron & Tibshirani 1993, percentile method).

Every figure here is a ratio of two sums over the questions (a share, a mean, an F1), so resampling the questions means
weighting their rows, and all figures of all resamples are two matrix products. Where all questions agree there is
nothing to resample and the interval is a point, which for a small set says more than is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1_000
LEVEL = 0.95
SEED = 20_260

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure between the ends of its 95 % interval. `of` is the size of what it is a share of: where that is 0 there
    was nothing to measure, and the other three are 0."""

    value: float
    low: float
    high: float
    of: float

    @property
    def measured(self) -> bool:
        """Whether there was anything to measure."""
        return self.of > 0


def ratios(parts: Matrix, wholes: Matrix, seed: int = SEED) -> list[Interval]:
    """For each column of two matrices (questions x figures): the sum of its parts over the sum of its wholes."""
    if not len(parts):
        return [Interval(0.0, 0.0, 0.0, 0.0)] * parts.shape[1]
    drawn = _draw(len(parts), seed)
    return _intervals(_divide(parts.sum(axis=0), wholes.sum(axis=0)), _resampled(drawn, parts, wholes), wholes)


def differences(before: tuple[Matrix, Matrix], after: tuple[Matrix, Matrix], seed: int = SEED) -> list[Interval]:
    """How much each ratio grew from one run to another over the same questions (row by row), as (parts, wholes) each.
    The pairs are resampled together, so that what is hard in both does not blur the difference."""
    if not len(before[0]):
        return [Interval(0.0, 0.0, 0.0, 0.0)] * before[0].shape[1]
    drawn = _draw(len(before[0]), seed)
    grown = _resampled(drawn, *after) - _resampled(drawn, *before)
    value = _divide(*(matrix.sum(axis=0) for matrix in after)) - _divide(*(matrix.sum(axis=0) for matrix in before))
    return _intervals(value, grown, np.minimum(before[1], after[1]))


def _draw(questions: int, seed: int) -> Matrix:
    """How often each question is in each resample."""
    return np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), SAMPLES).astype(float)


def _resampled(drawn: Matrix, parts: Matrix, wholes: Matrix) -> Matrix:
    return _divide(drawn @ parts, drawn @ wholes)


def _divide(parts: Matrix, wholes: Matrix) -> Matrix:
    quotients: Matrix = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    return quotients


def _intervals(values: Matrix, resampled: Matrix, wholes: Matrix) -> list[Interval]:
    found = []
    for value, column, of in zip(values, resampled.T, wholes.sum(axis=0), strict=True):
        drawn = column[~np.isnan(column)]  # a resample may have nothing to measure
        if np.isnan(value) or not len(drawn):
            found.append(Interval(0.0, 0.0, 0.0, 0.0))
            continue
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found.append(Interval(*(round(float(number), 4) for number in (value, low, high, of))))
    return found
