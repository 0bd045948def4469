"""Is the bot unsure where it would be wrong? The area under the risk-coverage curve of the answers given, beside that
of abstaining below a threshold on similarity. An answer would be right where the question is answerable and one of the
passages found contains a right answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.quality import risk
from bot.quality.intervals import SEED, Interval
from bot.quality.outcomes import Outcome


@dataclass(frozen=True)
class Abstaining:
    """The areas by the evidence that decided and by similarity alone: mean risk over all coverages, 0..1, lower is
    better; .0 where every answer would be right."""

    evidence: Interval
    similarity: Interval


def measure(outcomes: Sequence[Outcome], seed: int = SEED) -> Abstaining | None:
    """Both areas, or None where no question was asked."""
    if not outcomes:
        return None
    right = [one.answerable and one.within_reach for one in outcomes]
    return Abstaining(
        _area([one.evidence for one in outcomes], right, seed), _area([one.similarity for one in outcomes], right, seed)
    )


def _area(confidences: Sequence[float], right: Sequence[bool], seed: int) -> Interval:
    low, high = risk.area_interval(confidences, right, seed)
    return Interval(round(risk.area(confidences, right), 4), round(low, 4), round(high, 4), len(right))
