"""Which approved rows are fit to learn from (DESIGN rule 6).

Personal data is redacted; empty, doubled and nearly doubled rows are left out, what is too much of one passage or one
customer, and every row that states something which its evidence does not support: the adapter may learn how to say
things, never what is true.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bot import ground, likeness, sentences
from bot.errors import TrainingRefused
from bot.records import Feedback

PERSONAL = ["EMAIL", "PHONE", "CREDIT_CARD", "IP_ADDRESS"]
# datafog knows American and international (+49 ...) telephone numbers, but not national ones: 0170 1234567
_NATIONAL_PHONE = re.compile(r"\b0(?:[ ()/-]{0,2}\d){8,13}\b")

NEARLY = 0.6  # of the word triples of two rows; they are short, so that one word more changes many of them
MOST_OF_A_CLUSTER = 5  # rows that are made from the same passage or say nearly the same
MOST_OF_A_CUSTOMER = 10


@dataclass(frozen=True)
class Curated:
    """The rows that may train, and for each of the others its id and the reason in a sentence."""

    kept: tuple[Feedback, ...]
    refused: tuple[tuple[int, str], ...]


def curate(rows: Sequence[Feedback], customers: Mapping[str, str] = MappingProxyType({})) -> Curated:
    """Redact each row and judge it; a row's evidence must be the passages that the model will be shown. `customers` has
    who asked, by the answer's id; of nobody, and of nothing, too much is learned."""
    kept: list[_Kept] = []
    refused = []
    redacted = list(map(_redacted, rows))
    signed = zip(redacted, *(likeness.signatures(texts) for texts in _texts(redacted)), strict=True)
    for row, whole, said in signed:
        one = _Kept(row, whole, said, customers.get(row.answer_id, ""), _source(row))
        if reason := _fault(row) or one.double(kept) or one.excess(kept):
            refused.append((row.feedback_id, reason))
        else:
            kept.append(one)
    return Curated(tuple(one.row for one in kept), tuple(refused))


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


@dataclass(frozen=True)
class _Kept:
    """A row with the signatures of question and rewrite together and of the rewrite alone, who asked, and the passage
    that it is made from."""

    row: Feedback
    whole: bytes
    said: bytes
    customer: str
    source: str

    def double(self, others: Sequence["_Kept"]) -> str | None:
        for other in others:
            if _content(self.row) == _content(other.row):
                return f"It says the same as row {other.row.feedback_id}."
            if likeness.alike(self.whole, other.whole, NEARLY):
                return f"It says nearly the same as row {other.row.feedback_id}."
        return None

    def excess(self, others: Sequence["_Kept"]) -> str | None:
        alike = [one for one in others if one.source == self.source or likeness.alike(self.said, one.said, NEARLY)]
        if len(alike) >= MOST_OF_A_CLUSTER:
            first = alike[0].row.feedback_id
            return f"{len(alike)} rows about the same are learned from already, row {first} the first of them."
        if self.customer and sum(one.customer == self.customer for one in others) >= MOST_OF_A_CUSTOMER:
            return f"{MOST_OF_A_CUSTOMER} rows of the same customer are learned from already."
        return None


def _source(row: Feedback) -> str:
    """The passage that the rewrite begins from; no two rows without one have it in common."""
    first = (sentences.split(row.rewrite) or [""])[0]
    found = ground.support(first, row.evidence) if row.evidence else None
    return found.passage.chunk_id if found else f"row {row.feedback_id}"


def _texts(rows: Sequence[Feedback]) -> tuple[list[str], list[str]]:
    return [f"{row.question} {row.rewrite}" for row in rows], [row.rewrite for row in rows]


def _content(row: Feedback) -> tuple[str, str]:
    return _plain(row.question), _plain(row.rewrite)


def _fault(row: Feedback) -> str | None:
    if not row.rewrite.strip():
        return "The rewrite is empty."
    if not row.question.strip():
        return "The question is empty."
    for sentence in ground.unsupported(row.rewrite, row.evidence):
        return f"The passages do not support this sentence: “{sentence}”"
    if not any(ground.support(sentence, row.evidence) for sentence in sentences.split(row.rewrite)):
        return "It is politeness alone and answers nothing."
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
