"""Is a question answered the same however it is put? Questions with the same right answers from the same documents
count as paraphrases of each other."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from bot.quality import intervals, overlap
from bot.quality.intervals import Interval
from bot.quality.outcomes import Outcome
from bot.records import Question


@dataclass(frozen=True)
class Consistency:
    """How alike the answers to paraphrases are, each 0..1: means over the groups of the means over a group's pairs, so
    that a question asked in ten ways does not count more than one asked in two."""

    groups: int
    questions: int
    same_decision: Interval
    same_document: Interval
    alike: Interval


def paraphrased(questions: Sequence[Question]) -> list[Question]:
    """The answerable questions that are asked in several ways, a group's together, in the order of the groups."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Question]] = defaultdict(list)
    for question in questions:
        if question.answers and not question.history:
            groups[(tuple(sorted(question.answers)), tuple(sorted(question.documents)))].append(question)
    return [question for group in groups.values() if len(group) > 1 for question in group]


def measure(outcomes: Sequence[Outcome], seed: int = intervals.SEED) -> Consistency | None:
    """Compare the answers within each group of paraphrases, or None where no question was asked twice. The intervals
    resample groups."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.group:
            groups[one.group].append(one)
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return None
    table = np.array([_alike(group) for group in several])
    parts, wholes = np.nan_to_num(table), (~np.isnan(table)).astype(float)
    return Consistency(len(several), sum(map(len, several)), *intervals.ratios(parts, wholes, seed))


def disagreeing(outcomes: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Pairs of paraphrases of which one was answered and the other was not, or from other documents."""
    several = sorted((one for one in outcomes if one.group), key=lambda one: one.group)
    pairs = (
        pair for _, group in itertools.groupby(several, key=lambda one: one.group) for pair in itertools.pairwise(group)
    )
    return [(a, b) for a, b in pairs if a.abstained != b.abstained or set(a.cited) != set(b.cited)]


def _alike(group: Sequence[Outcome]) -> tuple[float, float, float]:
    """The three measures of one group; not a number where no pair was answered."""
    pairs = list(itertools.combinations(group, 2))
    answered = [(a, b) for a, b in pairs if a.answered and b.answered]
    same = fmean(a.abstained == b.abstained for a, b in pairs)
    if not answered:
        return same, np.nan, np.nan
    documents = fmean(bool(set(a.cited) & set(b.cited)) for a, b in answered)
    return same, documents, fmean(overlap.token_f1(a.text, [b.text]) for a, b in answered)
