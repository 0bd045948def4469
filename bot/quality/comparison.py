"""Two kept runs side by side: what grew and what fell, how sure that is, and which questions changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.errors import EvaluationRefused
from bot.quality import intervals, measures, mistakes, outcomes
from bot.quality.intervals import Interval
from bot.quality.measures import Better, Measure
from bot.quality.outcomes import Outcome
from bot.quality.runs import Run

Verdict = Literal["better", "worse", "different", "no clear difference"]


@dataclass(frozen=True)
class Change:
    """One measure of two runs; `difference` is after less before, over the questions of both, with its 95 % interval
    (None where a run keeps no rows to pair)."""

    name: str
    title: str
    better: Better
    before: float
    after: float
    difference: Interval | None

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say: something only where it does not hold 0."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "no clear difference"
        if not self.better:
            return "different"
        return "better" if (self.difference.value > 0) == (self.better == "higher") else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two runs over the `questions` that both asked. `changed` are those answered otherwise, first those whose F1 fell
    most."""

    before: Run
    after: Run
    questions: int
    measures: tuple[Change, ...]
    mistakes: tuple[Change, ...]
    changed: tuple[tuple[Outcome, Outcome], ...]


def compare(before: Run, after: Run) -> Comparison:
    """Raises `EvaluationRefused` where the runs are not of the same kind or have no question in common."""
    if before.kind != after.kind:
        raise EvaluationRefused(
            f"Run {before.number} measured {before.kind} and run {after.number} {after.kind}; choose two of one kind."
        )
    if "rows" not in before.report or "rows" not in after.report:
        return Comparison(before, after, 0, _plain(before, after), (), ())
    pairs = _pairs(of(before), of(after))
    if not pairs:
        raise EvaluationRefused(f"Runs {before.number} and {after.number} have no question in common.")
    changed = sorted((pair for pair in pairs if _changed(*pair)), key=lambda pair: pair[1].f1 - pair[0].f1)
    return Comparison(
        before,
        after,
        len(pairs),
        _changes(pairs, measures.MEASURES),
        _changes(pairs, mistakes.SHARES),
        tuple(changed),
    )


def of(run: Run) -> list[Outcome]:
    """What came of every question of a run."""
    return [outcomes.from_row(row) for row in run.report.get("rows", [])]


def _pairs(before: Sequence[Outcome], after: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """The same questions of both runs; a question whose text was edited is another question."""
    earlier = {(one.question_id, one.question): one for one in before}
    return [(earlier[key], one) for one in after if (key := (one.question_id, one.question)) in earlier]


def _changed(before: Outcome, after: Outcome) -> bool:
    return (before.abstained, before.text) != (after.abstained, after.text)


def _changes(pairs: Sequence[tuple[Outcome, Outcome]], wanted: Mapping[str, Measure]) -> tuple[Change, ...]:
    was, now = [old for old, _ in pairs], [new for _, new in pairs]
    earlier, later = measures.table(was, wanted), measures.table(now, wanted)
    values = zip(
        wanted.items(),
        intervals.ratios(*earlier),
        intervals.ratios(*later),
        intervals.differences(earlier, later),
        strict=True,
    )
    return tuple(
        Change(name, measure.title, measure.better, old.value, new.value, difference)
        for (name, measure), old, new, difference in values
        if old.measured and new.measured
    )


def _plain(before: Run, after: Run) -> tuple[Change, ...]:
    return tuple(
        Change(name, name.replace("_", " "), "", value, after.figures[name], None)
        for name, value in before.figures.items()
        if name in after.figures
    )
