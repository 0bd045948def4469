"""How good answers are: ask every question through the real chain, judge each answer, and sum up."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from bot import consult
from bot.desk import Desk
from bot.quality import abstaining, consistency, intervals, measures, mistakes, outcomes, spelling
from bot.quality.abstaining import Abstaining
from bot.quality.consistency import Consistency
from bot.quality.intervals import Interval
from bot.quality.mistakes import Mistake
from bot.quality.outcomes import Outcome
from bot.records import Answer, Question


@dataclass(frozen=True)
class AnswerReport:
    """What `measures.MEASURES` says of the answers to a question set; `intervals` has each with its 95 % interval.

    Shares are 0..1. `f1`, `answered` and `answered_and_cited` are over the answerable questions,
    `answered_unanswerable` over the others; the abstention's precision, recall (the share of unanswerable questions
    that were abstained on) and F1 are over all. `citation_precision` (the right document is cited),
    `passage_precision` (a cited passage contains the answer), `f1_answered`, `span_recall` and `span_f1` are over the
    answerable questions that were answered. `supported` is over the shown sentences,
    `verified` is the share of the model's sentences that was shown, `own_words` is the share of given
    answers that are not quotations, `words` is their mean length.
    Times are medians over the given answers.
    """

    questions: int
    f1: float
    f1_answered: float
    answered: float
    answered_unanswerable: float
    answered_and_cited: float
    abstention_precision: float
    abstention_recall: float
    abstention_f1: float
    citation_precision: float
    passage_precision: float
    span_recall: float
    span_f1: float
    verified: float
    supported: float
    own_words: float
    words: float
    retrieve_ms: float
    first_token_ms: float
    first_sentence_ms: float
    total_ms: float
    intervals: dict[str, Interval] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    consistency: Consistency | None = field(repr=False)
    risk: Abstaining | None = field(repr=False)
    outcomes: tuple[Outcome, ...] = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)

    def figures(self) -> dict[str, float]:
        """The plain figures, as the contract's JSON has them."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int | float)}


def evaluate(
    desk: Desk,
    questions: Sequence[Question],
    adapter: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> AnswerReport:
    """Ask every question through the real chain, and measure. `adapter` names who speaks: "" is the base model, None
    the active version."""
    (found,) = side_by_side(desk, questions, [adapter], tell)
    return found


def side_by_side(
    desk: Desk,
    questions: Sequence[Question],
    adapters: Sequence[str | None],
    tell: Callable[[str], None] = lambda _: None,
    together: int = 1,
) -> list[AnswerReport]:
    """The same for each of several voices, so many answers at a time. The voices are asked each question in turn, so
    that whatever else the machine does slows all of them alike."""
    asked = [(question, adapter) for question in questions for adapter in adapters]
    given = []
    clients = ThreadPoolExecutor(together)
    try:
        answers = clients.map(lambda one: consult.ask(desk, one[0].text, one[0].history, one[1]), asked)
        for number in range(len(asked)):
            tell(f"asking {number + 1} of {len(asked)}")
            given.append(next(answers))
    finally:
        clients.shutdown(cancel_futures=True)  # where the asking is given up
    return [report(desk, questions, given[first :: len(adapters)]) for first in range(len(adapters))]


def report(
    desk: Desk, questions: Sequence[Question], given: Sequence[Answer], seed: int = intervals.SEED
) -> AnswerReport:
    """Measure answers that were given to questions."""
    misspelt = spelling.of_documents(desk.database)
    judged = [
        outcomes.judge(desk, question, answer, misspelt) for question, answer in zip(questions, given, strict=True)
    ]
    found = measures.figures(judged, seed=seed)
    told = [one for one in judged if one.answered]
    return AnswerReport(
        questions=len(judged),
        f1=found["f1"].value,
        f1_answered=found["f1_answered"].value,
        answered=found["answered"].value,
        answered_unanswerable=found["answered_unanswerable"].value,
        answered_and_cited=found["answered_and_cited"].value,
        abstention_precision=found["abstention_precision"].value,
        abstention_recall=found["abstention_recall"].value,
        abstention_f1=found["abstention_f1"].value,
        citation_precision=found["citation_precision"].value,
        passage_precision=found["passage_precision"].value,
        span_recall=found["span_recall"].value,
        span_f1=found["span_f1"].value,
        verified=found["verified"].value,
        supported=found["supported"].value,
        own_words=found["own_words"].value,
        words=found["words"].value,
        retrieve_ms=_median([one.retrieve_ms for one in told]),
        first_token_ms=_median([one.first_token_ms for one in told]),
        first_sentence_ms=_median([one.first_sentence_ms for one in told]),
        total_ms=_median([one.total_ms for one in told]),
        intervals=found,
        mistakes=tuple(mistakes.count(judged, seed)),
        consistency=consistency.measure(judged, seed),
        risk=abstaining.measure(judged, seed),
        outcomes=tuple(judged),
        answers=tuple(given),
    )


def kept(report: AnswerReport) -> dict[str, Any]:
    """A report as a run keeps it: everything in it follows from the rows, one a question."""
    return {
        "figures": report.figures(),
        "intervals": _rounded(report.intervals),
        "mistakes": {mistake.kind: {"count": mistake.count, **asdict(mistake.share)} for mistake in report.mistakes},
        "consistency": asdict(report.consistency) if report.consistency else None,
        "risk": asdict(report.risk) if report.risk else None,
        "rows": [outcomes.row(one) for one in report.outcomes],
    }


def _rounded(found: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: asdict(interval) for name, interval in found.items()}


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1) if values else 0.0
