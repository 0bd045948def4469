"""From a customer's thumb to a row that may train: rate, review, approve. A rating alone never trains (DESIGN rule 6).

What a reviewer approves is the exact content of the row: its digest is kept, and an edit afterwards voids it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import NotAllowed
from bot.records import Answer, Feedback, FeedbackState, Passage

LONGEST_COMMENT = 2_000
SAMPLE_PREFIX = "sample-"


def rate(engine: sa.Engine, answer: Answer, rating: int, reason: str = "", comment: str = "") -> int:
    """Keep a customer's opinion of an answer (`rating` 1 good, 0 bad) and return its id. Rating again replaces it,
    unless a reviewer has already decided."""
    opinion = {"rating": rating, "reason": reason[:200], "comment": comment[:LONGEST_COMMENT]}
    with db.writing(engine) as connection:
        row = connection.execute(sa.select(db.feedback).where(db.feedback.c.answer_id == answer.answer_id)).first()
        if row is not None:
            waiting = (db.feedback.c.feedback_id == row.feedback_id) & (db.feedback.c.state == "pending")
            connection.execute(sa.update(db.feedback).where(waiting).values(**opinion))
            return int(row.feedback_id)
        return _insert(
            connection,
            answer_id=answer.answer_id,
            question=answer.question,
            answer=answer.text,
            evidence=[asdict(passage) for passage in answer.passages],
            adapter=answer.adapter,
            state="pending",
            **opinion,
        )


def add_approved(
    engine: sa.Engine, key: str, question: str, answer: str, evidence: Sequence[Passage], rewrite: str, reviewer: str
) -> None:
    """Add a rewrite that was reviewed elsewhere, once for each `key`."""
    with db.writing(engine) as connection:
        known = sa.select(db.feedback.c.feedback_id).where(db.feedback.c.answer_id == key)
        if connection.execute(known).first():
            return
        stored = [asdict(passage) for passage in evidence]
        _insert(
            connection,
            answer_id=key,
            question=question,
            answer=answer,
            evidence=stored,
            rating=1,
            state="approved",
            rewrite=rewrite,
            reviewer=reviewer,
            approved_digest=_digest(question, stored, rewrite),
        )


def approve(engine: sa.Engine, feedback_id: int, reviewer: str, rewrite: str = "") -> None:
    """Approve an answer as it is, or with `rewrite` what should be said instead, for training."""
    row = find(engine, feedback_id)
    text = rewrite.strip() or row.rewrite or row.answer
    digest = _digest(row.question, [asdict(passage) for passage in row.evidence], text)
    _decide(engine, feedback_id, state="approved", reviewer=reviewer, rewrite=text, approved_digest=digest, note="")


def reject(engine: sa.Engine, feedback_id: int, reviewer: str, note: str = "") -> None:
    """Keep a row out of training, with a note that says why."""
    _decide(engine, feedback_id, state="rejected", reviewer=reviewer, note=note, approved_digest=None)


def reopen(engine: sa.Engine, feedback_id: int) -> None:
    """Undo a decision."""
    _decide(engine, feedback_id, state="pending", reviewer="", rewrite="", note="", approved_digest=None)


def find(engine: sa.Engine, feedback_id: int) -> Feedback:
    """One row of the queue."""
    row = db.one(engine, sa.select(db.feedback).where(db.feedback.c.feedback_id == feedback_id))
    if row is None:
        raise NotAllowed(f"There is no feedback {feedback_id}; `frontdesk feedback list` shows what there is.")
    return _feedback(row)


def listing(engine: sa.Engine, state: FeedbackState | None = None) -> list[Feedback]:
    """The queue, newest first."""
    query = sa.select(db.feedback).order_by(db.feedback.c.created_at.desc(), db.feedback.c.feedback_id.desc())
    if state is not None:
        query = query.where(db.feedback.c.state == state)
    return [_feedback(row) for row in db.rows(engine, query)]


def trainable(engine: sa.Engine) -> list[Feedback]:
    """The approved rows whose content is still what was approved, oldest first."""
    query = sa.select(db.feedback).where(db.feedback.c.state == "approved").order_by(db.feedback.c.feedback_id)
    return [
        _feedback(row)
        for row in db.rows(engine, query)
        if row.approved_digest == _digest(row.question, row.evidence, row.rewrite)
    ]


def count_new(engine: sa.Engine) -> int:
    """How many trainable rows no adapter has been trained on yet."""
    return sum(row.trained_in is None for row in trainable(engine))


def digest(engine: sa.Engine) -> str:
    """What there is to train on, as one digest: the same rows give the same."""
    rows = [(row.feedback_id, row.rewrite) for row in trainable(engine)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def mark_trained(connection: sa.Connection, ids: Sequence[int], adapter: str) -> None:
    """Note the adapter that learned from these rows, unless an earlier one already had."""
    chosen = db.feedback.c.feedback_id.in_(list(ids)) & db.feedback.c.trained_in.is_(None)
    connection.execute(sa.update(db.feedback).where(chosen).values(trained_in=adapter))


def forget_sample(engine: sa.Engine) -> None:
    """Delete the sample company's feedback."""
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.feedback).where(db.feedback.c.answer_id.startswith(SAMPLE_PREFIX)))


def _insert(connection: sa.Connection, **values: Any) -> int:
    inserted = connection.execute(sa.insert(db.feedback).values(created_at=db.now(), **values))
    return db.new_id(inserted)


def _decide(engine: sa.Engine, feedback_id: int, **values: Any) -> None:
    find(engine, feedback_id)
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.feedback).where(db.feedback.c.feedback_id == feedback_id).values(**values))


def _digest(question: str, evidence: Sequence[dict[str, Any]], rewrite: str) -> str:
    content = [question, [passage["text"] for passage in evidence], rewrite]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _feedback(row: db.Row) -> Feedback:
    return Feedback(
        feedback_id=row.feedback_id,
        answer_id=row.answer_id,
        question=row.question,
        answer=row.answer,
        evidence=tuple(Passage(**passage) for passage in row.evidence),
        rating=row.rating,
        reason=row.reason,
        comment=row.comment,
        state=row.state,
        rewrite=row.rewrite,
        note=row.note,
        reviewer=row.reviewer,
        adapter=row.adapter,
        trained_in=row.trained_in,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
    )
