"""What is measured of answers: each measure is a ratio of two sums over the questions, so each has an interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bot.quality import intervals
from bot.quality.intervals import Interval, Matrix
from bot.quality.outcomes import Outcome

Better = Literal["higher", "lower", ""]


@dataclass(frozen=True)
class Measure:
    """`of` gives what one question adds to the part and to the whole; `better` says which way is good, if either."""

    title: str
    meaning: str
    of: Callable[[Outcome], tuple[float, float]]
    better: Better = "higher"


def _answerable(one: Outcome) -> bool:
    return one.answerable


def _answered(one: Outcome) -> bool:
    return one.answered


def _spoken(one: Outcome) -> bool:
    return one.answerable and one.answered


def _mean(
    value: Callable[[Outcome], float], among: Callable[[Outcome], bool]
) -> Callable[[Outcome], tuple[float, float]]:
    return lambda one: (float(value(one)), 1.0) if among(one) else (0.0, 0.0)


MEASURES: dict[str, Measure] = {
    "f1": Measure(
        "Token F1", "Of the answerable questions; 0 where none was given", _mean(lambda one: one.f1, _answerable)
    ),
    "f1_answered": Measure("Token F1 where answered", "Of the answerable ones", _mean(lambda one: one.f1, _spoken)),
    "answered": Measure(
        "Answerable, answered", "Of the answerable questions", _mean(lambda one: one.answered, _answerable)
    ),
    "answered_unanswerable": Measure(
        "Unanswerable, answered",
        "Of the unanswerable questions",
        _mean(lambda one: one.answered, lambda one: not one.answerable),
        "lower",
    ),
    "answered_and_cited": Measure(
        "Answered from the right document",
        "Of the answerable questions",
        _mean(lambda one: one.answered and one.cites_a_wanted_document, _answerable),
    ),
    "abstention_precision": Measure(
        "Abstention precision",
        "Abstentions that were right",
        _mean(lambda one: not one.answerable, lambda one: one.abstained),
    ),
    "abstention_recall": Measure(
        "Abstention recall",
        "Unanswerable questions abstained on",
        _mean(lambda one: one.abstained, lambda one: not one.answerable),
    ),
    "abstention_f1": Measure(
        "Abstention F1",
        "Of the two above",
        lambda one: (2.0 * (one.abstained and not one.answerable), float(one.abstained) + float(not one.answerable)),
    ),
    "citation_precision": Measure(
        "Right document cited", "Of the answered answerable", _mean(lambda one: one.cites_a_wanted_document, _spoken)
    ),
    "passage_precision": Measure(
        "Passage holds the answer",
        "What opens from a citation; of the answered answerable",
        _mean(lambda one: one.holds, _spoken),
    ),
    "span_recall": Measure(
        "Right answer in one sentence",
        "The share of its words in the answer's best sentence, where answered",
        _mean(lambda one: one.span_recall, _spoken),
    ),
    "span_f1": Measure(
        "Token F1 of the words that answer",
        "The emphasised words, or the whole answer without them; where answered",
        _mean(lambda one: one.span_f1, _spoken),
    ),
    "supported": Measure(
        "Supported sentences",
        "Of the sentences shown",
        lambda one: (float(one.supported), float(one.sentences)),
    ),
    "verified": Measure(
        "The model's sentences that passed",
        "Of those that it said, the share that was shown",
        lambda one: (float(one.own_sentences), float(one.own_sentences + len(one.dropped))),
    ),
    "own_words": Measure("In own words", "Of all answers given", _mean(lambda one: not one.quoted, _answered), ""),
    "words": Measure("Words in an answer", "The mean", _mean(lambda one: one.words, _answered), ""),
}


def table(outcomes: Sequence[Outcome], wanted: Mapping[str, Measure]) -> tuple[Matrix, Matrix]:
    """Parts and wholes, each questions x measures."""
    shape = (len(outcomes), len(wanted), 2)
    filled = np.array([[measure.of(one) for measure in wanted.values()] for one in outcomes], dtype=float)
    both = filled.reshape(shape)
    return both[:, :, 0], both[:, :, 1]


def figures(
    outcomes: Sequence[Outcome], wanted: Mapping[str, Measure] = MEASURES, seed: int = intervals.SEED
) -> dict[str, Interval]:
    """Every measure with its 95 % interval."""
    return dict(zip(wanted, intervals.ratios(*table(outcomes, wanted), seed), strict=True))
