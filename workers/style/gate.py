"""May this candidate speak? It must say it better and know no less, on the same held-out questions as the version that
speaks now.

Only judging is done here; `workers.style.examination` has the questions asked, `workers.style.checks` has the rules.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.quality import style as styling
from bot.quality.answers import AnswerReport
from bot.records import Adapter, Question
from bot.style import Style
from bot.style.closeness import Approved
from workers.style import checks
from workers.style.checks import Check

SAMPLES = 6


@dataclass(frozen=True)
class Verdict:
    """What the gate measured. It passes where every check does."""

    checks: tuple[Check, ...]
    samples: tuple[dict[str, str], ...]
    questions: int = 0

    @property
    def passed(self) -> bool:
        """Whether the candidate may speak to customers."""
        return all(check.passed for check in self.checks)

    def report(self) -> dict[str, Any]:
        """The verdict as the registry keeps it and the page shows it."""
        return {
            "passed": self.passed,
            "questions": self.questions,
            "checks": [asdict(check) for check in self.checks],
            "samples": list(self.samples),
        }


def judge(
    candidate: Adapter,
    before: AnswerReport,
    after: AnswerReport,
    style: Style,
    approved: Approved | None = None,
    *,
    spoken: bool,
) -> Verdict:
    """Weigh a candidate's answers (`after`) against those of the version that speaks now, or of the base where none has
    `spoken` yet. `style` is what the approved answers keep to."""
    gained = styling.gain(before.answers, after.answers, style, approved)
    styled = (styling.measure(report.answers, style) for report in (before, after))
    found = (
        *checks.style_checks(candidate.meta, gained, spoken=spoken),
        *checks.fact_checks(before, after),
        *checks.probe_checks(candidate.meta["closed_book"]),
        *checks.other_checks(before, after, *styled),
    )
    return Verdict(found, samples(before, after), len(after.answers))


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
