"""Which approved rows are fit to learn from (DESIGN rule 6).

Personal data is redacted; empty and doubled rows are left out, and so is every row that states something which its
evidence does not support: the adapter may learn how to say things, never what is true.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bot import ground
from bot.errors import TrainingRefused
from bot.records import Feedback

PERSONAL = ["EMAIL", "PHONE", "CREDIT_CARD", "IP_ADDRESS"]
# datafog knows American and international (+49 ...) telephone numbers, but not national ones: 0170 1234567
_NATIONAL_PHONE = re.compile(r"\b0(?:[ ()/-]{0,2}\d){8,13}\b")

HELD_OUT_SHARE = 0.15
LEAST_HELD_OUT = 4


@dataclass(frozen=True)
class Curated:
    """The rows that may train, and for each of the others its id and the reason in a sentence."""

    kept: tuple[Feedback, ...]
    refused: tuple[tuple[int, str], ...]


class Split(NamedTuple):
    """Rows to learn from and rows to be examined on. No question stands in both."""

    train: tuple[Feedback, ...]
    held_out: tuple[Feedback, ...]


def curate(rows: Sequence[Feedback]) -> Curated:
    """Redact each row and judge it; a row's evidence must be the passages that the model will be shown."""
    kept: dict[tuple[str, str], Feedback] = {}
    refused = []
    for row in map(_redacted, rows):
        content = (_plain(row.question), _plain(row.rewrite))
        if reason := _fault(row):
            refused.append((row.feedback_id, reason))
        elif content in kept:
            refused.append((row.feedback_id, f"It says the same as row {kept[content].feedback_id}."))
        else:
            kept[content] = row
    return Curated(tuple(kept.values()), tuple(refused))


def split(rows: Sequence[Feedback]) -> Split:
    """Hold about 15 % of the rows out, at least 4, chosen by a hash of the question: the same ones in every run."""
    ranks = {row.feedback_id: _rank(row.question) for row in rows}
    lowest = sorted(set(ranks.values()))[: min(LEAST_HELD_OUT, len(rows) // 2)]
    held_out = {key for key, rank in ranks.items() if rank < HELD_OUT_SHARE or rank in lowest}
    return Split(
        train=tuple(row for row in rows if row.feedback_id not in held_out),
        held_out=tuple(row for row in rows if row.feedback_id in held_out),
    )


def enough(curated: Curated, least: int) -> tuple[Feedback, ...]:
    """The rows that may train; raises `TrainingRefused` where they are fewer than `least`."""
    kept, of = len(curated.kept), len(curated.kept) + len(curated.refused)
    if kept < least:
        raise TrainingRefused(
            f"Only {kept} of {of} approved rows are fit to learn from, and {least} are needed "
            "(FRONTDESK_TRAIN_MIN_ROWS); approve more rewrites in the review queue, which also says what was wrong "
            "with the others."
        )
    return curated.kept


def _fault(row: Feedback) -> str | None:
    if not row.rewrite.strip():
        return "The rewrite is empty."
    if not row.question.strip():
        return "The question is empty."
    for sentence in ground.unsupported(row.rewrite, row.evidence):
        return f"The passages do not support this sentence: “{sentence}”"
    return None


def _redacted(row: Feedback) -> Feedback:
    evidence = "\n".join(passage.text for passage in row.evidence)
    return replace(
        row,
        question=_without_personal_data(row.question, evidence),
        rewrite=_without_personal_data(row.rewrite, evidence),
    )


def _without_personal_data(text: str, evidence: str) -> str:
    """Replace addresses and numbers of people; what the evidence says itself is the company's own and stays."""
    import datafog  # takes a tenth of a second, which the worker's other tasks need not pay

    found = datafog.scan(text, entity_types=PERSONAL).entities
    foreign = [entity for entity in found if entity.text not in evidence]
    redacted = str(datafog.redact(text, entities=foreign).redacted_text) if foreign else text
    return _NATIONAL_PHONE.sub(lambda phone: phone[0] if phone[0] in evidence else "[PHONE]", redacted)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _rank(question: str) -> float:
    """A number in 0..1 that is always the same for the same question."""
    return int(hashlib.sha256(_plain(question).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
