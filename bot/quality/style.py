"""How well a set of answers keeps to the house style, and whether one set keeps to it better than another.

Only answers that were given are measured: an abstention is a text that the house has written itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bot.quality import intervals
from bot.quality.intervals import Interval, Matrix
from bot.records import Answer
from bot.style import Style, StyleScore, score
from bot.style.closeness import Approved

LEAST_WON = 1.0  # points of the score by which an answer is better than another, else they are alike


@dataclass(frozen=True)
class Styled:
    """An answer and its score."""

    question: str
    text: str
    score: StyleScore = field(repr=False)


@dataclass(frozen=True)
class StyleReport:
    """The mean score, 0..1 like every figure here, and its parts, over the answers given."""

    questions: int
    answered: int
    score: Interval
    parts: dict[str, Interval]
    scored: tuple[Styled, ...] = field(repr=False)


@dataclass(frozen=True)
class StyleGain:
    """Two voices on the questions that both answered: the scores' means, the paired difference, and the share of pairs
    that the second won, a tie counting half; all 0..1."""

    pairs: int
    before: float
    after: float
    difference: Interval
    won: Interval


def measure(given: Sequence[Answer], style: Style, approved: Approved | None = None) -> StyleReport:
    """Score every answer that was given. Raises `ModelUnavailable` for `approved` alone."""
    scored = [Styled(one.question, one.text, score(one.text, style, approved)) for one in given if not one.abstained]
    names = list(scored[0].score.parts) if scored else []
    values = [[one.score.total / 100, *(one.score.parts[name].value for name in names)] for one in scored]
    whole, *parts = intervals.ratios(*_columns(values, 1 + len(names)))
    return StyleReport(len(given), len(scored), whole, dict(zip(names, parts, strict=True)), tuple(scored))


def gain(
    before: Sequence[Answer], after: Sequence[Answer], style: Style, approved: Approved | None = None
) -> StyleGain:
    """Compare two voices' answers to the same questions, in the same order."""
    both = [
        (score(old.text, style, approved).total / 100, score(new.text, style, approved).total / 100)
        for old, new in zip(before, after, strict=True)
        if not old.abstained and not new.abstained
    ]
    earlier, later = (_columns([[pair[side]] for pair in both], 1) for side in (0, 1))
    (difference,) = intervals.differences(earlier, later)
    (won,) = intervals.ratios(*_columns([[_won(*pair)] for pair in both], 1))
    means = [float(parts.mean()) if len(parts) else 0.0 for parts, _ in (earlier, later)]
    return StyleGain(len(both), round(means[0], 4), round(means[1], 4), difference, won)


def figures(report: StyleReport) -> dict[str, Any]:
    """The plain figures, as the contract's JSON has them; the score is 0..100, its parts 0..1."""
    return {
        "questions": report.questions,
        "answered": report.answered,
        "style": round(100 * report.score.value, 1),
        "interval": [round(100 * end, 1) for end in (report.score.low, report.score.high)],
        "parts": {name: one.value for name, one in report.parts.items()},
    }


def _won(before: float, after: float) -> float:
    apart = 100 * (after - before)
    return 0.5 if abs(apart) < LEAST_WON else float(apart > 0)


def _columns(values: Sequence[Sequence[float]], width: int) -> tuple[Matrix, Matrix]:
    parts = np.array(values, dtype=float).reshape(len(values), width)
    return parts, np.ones_like(parts)
