"""May this candidate speak? It must say it better (held-out loss) and know no less (questions with known answers).

Only judging is done here; `workers.style.examination` has the questions asked.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.quality.answers import AnswerReport
from bot.records import Adapter, Question

LEAST_GAIN = 0.02
SLACK = 0.02
SAMPLES = 6
# The measures of an AnswerReport that may not fall, as the page names them; higher is better in all. Token F1 is not
# among them: it falls with every word of courtesy, and courtesy is what a style is for.
FACTS = {
    "Right words said": "span_recall",
    "Abstention F1": "abstention_f1",
    "Citation precision": "citation_precision",
    "Supported sentences": "supported",
}


@dataclass(frozen=True)
class Check:
    """One measure of the version that spoke before and of the candidate."""

    name: str
    before: float
    after: float
    passed: bool
    better: str


@dataclass(frozen=True)
class Verdict:
    """What the gate measured. It passes where every check does."""

    checks: tuple[Check, ...]
    samples: tuple[dict[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate may speak to customers."""
        return all(check.passed for check in self.checks)

    def report(self) -> dict[str, Any]:
        """The verdict as the registry keeps it and the page shows it."""
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "samples": list(self.samples),
        }


def judge(candidate: Adapter, speaking: Adapter | None, ask: Callable[[str], AnswerReport]) -> Verdict:
    """Weigh a candidate against the version that speaks now. `ask` asks all questions in one version's voice, by its
    name ("" for the base model)."""
    before, after = ask(speaking.name if speaking else ""), ask(candidate.name)
    checks = (*style_checks(candidate.meta), *fact_checks(before, after))
    return Verdict(checks, samples(before, after))


def style_checks(meta: dict[str, Any]) -> list[Check]:
    """The candidate must be clearly better than the base, and not clearly worse than a style that speaks already."""
    base, spoken, after = meta["held_out_before"], meta["held_out_speaking"], meta["held_out_after"]
    checks = [Check("Held-out loss", base, after, after <= (1 - LEAST_GAIN) * base, "lower")]
    if spoken is not None:
        no_worse = after <= (1 + SLACK) * spoken
        checks.append(Check("Held-out loss beside the active version", spoken, after, no_worse, "lower"))
    return checks


def fact_checks(before: AnswerReport, after: AnswerReport) -> list[Check]:
    """No measure of the answers' facts may fall by more than 2 %."""
    pairs = [(name, getattr(before, field), getattr(after, field)) for name, field in FACTS.items()]
    return [Check(name, was, now, now >= (1 - SLACK) * was, "higher") for name, was, now in pairs]


def samples(before: AnswerReport, after: AnswerReport) -> tuple[dict[str, str], ...]:
    """A few questions with both answers, the ones that read differently first."""
    pairs = [
        {"question": old.question, "before": old.text, "after": new.text}
        for old, new in zip(before.answers, after.answers, strict=True)
    ]
    return tuple(sorted(pairs, key=lambda pair: pair["before"] == pair["after"])[:SAMPLES])


def pick(questions: Sequence[Question], count: int) -> list[Question]:
    """A fixed choice in which answerable and unanswerable questions, and each document, have their share."""
    whole = sorted(questions, key=_rank)
    answerable = _round_robin([question for question in whole if question.answerable])
    unanswerable = [question for question in whole if not question.answerable]
    share = round(count * len(answerable) / max(len(whole), 1))
    return answerable[:share] + unanswerable[: count - share]


def _round_robin(questions: Sequence[Question]) -> list[Question]:
    """The first question of every document, then the second of every document, and so on."""
    seen: dict[tuple[str, ...], int] = {}
    turns = []
    for question in questions:
        turns.append(seen.get(question.documents, 0))
        seen[question.documents] = turns[-1] + 1
    return [question for _, question in sorted(zip(turns, questions, strict=True), key=lambda pair: pair[0])]


def _rank(question: Question) -> str:
    return hashlib.sha256(question.question_id.encode()).hexdigest()
