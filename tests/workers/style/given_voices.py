"""Voices whose answers are known: what the gate's examination would have measured of them."""

from dataclasses import dataclass, fields
from statistics import median
from typing import Any

from bot.quality import measures
from bot.quality.answers import AnswerReport
from bot.quality.outcomes import Outcome, repetition
from bot.records import Answer, Timings
from workers.style.examination import Examine

PLAIN = "The first exchange of an item is free of charge, and the parcel arrives within {n} working days [1]."
HOUSE = "Happy to help: you'll get the first exchange free, and we'll send your parcel within {n} days [1]."


@dataclass(frozen=True)
class Voice:
    """How somebody answers `questions`, a quarter of them unanswerable. `cited` and `answered` are the shares of the
    answerable ones that cite the right document and are answered at all, `said` is the share of the right words that it
    says, `noise` is how far that swings up and down."""

    text: str = PLAIN
    questions: int = 48
    said: float = 0.6
    pointed_out: float = 0.5
    cited: float = 1.0
    answered: float = 1.0
    abstains: float = 1.0
    supported: float = 1.0
    misspelt: float = 0.0
    noise: float = 0.0
    total_ms: float = 2_000.0

    def report(self) -> AnswerReport:
        """What would be measured of it."""
        answerable = self.questions * 3 // 4
        outcomes = [self._told(n, answerable) for n in range(answerable)]
        outcomes += [self._untold(n, self.questions - answerable) for n in range(self.questions - answerable)]
        figures = {name: one.value for name, one in measures.figures(outcomes).items()}
        known = {one.name: figures.get(one.name, 0.0) for one in fields(AnswerReport)}
        told = [one.total_ms for one in outcomes if one.answered]
        answers = tuple(answer_of(one.question, one.text, abstained=one.abstained) for one in outcomes)
        rest: dict[str, Any] = {"outcomes": tuple(outcomes), "answers": answers, "total_ms": median(told or [0.0])}
        return AnswerReport(**{**known, "intervals": {}, "mistakes": (), "consistency": None, "risk": None, **rest})

    def _told(self, n: int, of: int) -> Outcome:
        if n >= self.answered * of:
            return _outcome(n, "", abstained=True, answerable=True)
        text = self.text.format(n=n + 3)
        return _outcome(
            n,
            text,
            span_recall=self.said * (0.5 + n / (of - 1)) + self.noise * (-1) ** n,
            key_f1=self.pointed_out,
            cited=("right.md",) if n < self.cited * of else ("wrong.md",),
            supported=int(n < self.supported * of),
            misspelt=("teh",) if n < self.misspelt * of else (),
            total_ms=self.total_ms,
        )

    def _untold(self, n: int, of: int) -> Outcome:
        silent = n < self.abstains * of
        return _outcome(100 + n, "" if silent else self.text.format(n=n), abstained=silent, answerable=False)


def answer_of(question: str, text: str, *, abstained: bool = False) -> Answer:
    """An answer that says this."""
    return Answer("", question, text, abstained, False, (), (), (), "tiny", None, "", {}, Timings(0, 0, 0))


def examined_as(before: Voice, after: Voice) -> Examine:
    """An examination with a known outcome."""
    return lambda *_: [before.report(), after.report()]


def _outcome(n: int, text: str, *, abstained: bool = False, answerable: bool = True, **changes: Any) -> Outcome:
    plain: dict[str, Any] = {
        "question_id": f"q{n}",
        "question": f"Question {n}?",
        "answerable": answerable,
        "wanted": ("right.md",) if answerable else (),
        "gold": "",
        "gold_words": 3,
        "group": str(n),
        "text": text,
        "abstained": abstained,
        "quoted": False,
        "cited": (),
        "found": True,
        "holds": True,
        "within_reach": True,
        "f1": 0.0,
        "span_recall": 0.0,
        "words": len(text.split()),
        "sentences": int(not abstained),
        "supported": int(not abstained),
        "dropped": (),
        "misspelt": (),
        "repeated": repetition(text),
        "evidence": 0.9,
        "similarity": 0.6,
        "retrieve_ms": 10.0,
        "first_token_ms": 300.0,
        "first_sentence_ms": 900.0,
        "total_ms": 2_000.0,
    }
    return Outcome(**{**plain, **changes})
