"""From a customer's thumb to a row that may train: rate, review, approve. A rating alone never trains (DESIGN rule 6).

What a reviewer approves is the exact content of the row: its digest is kept, and an edit afterwards voids it. Where
reviewers disagree the majority decides, and until there is one the row trains nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot import db
from bot.errors import NotAllowed
from bot.records import Answer, Feedback, FeedbackState, Passage, Tag

LONGEST_COMMENT = 2_000
LONGEST_NAME = 60
SAMPLE_PREFIX = "sample-"

Verdict = Literal["approve", "reject"]
_UNDECIDED: dict[str, Any] = {
    "state": "pending",
    "reviewer": "",
    "rewrite": "",
    "note": "",
    "approved_digest": None,
    "tag": "",
    "owner": "",
    "settled_at": None,
}


@dataclass(frozen=True)
class Opinion:
    """What one reviewer decided about a row: with which words it is to be approved, or why not."""

    reviewer: str
    verdict: Verdict
    rewrite: str
    note: str


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
    """Approve an answer as it is, or with `rewrite` what should be said instead, for training. Where another reviewer
    has rejected it, it is disputed until there is a majority."""
    row = find(engine, feedback_id)
    text = rewrite.strip() or row.rewrite or row.answer
    _say(engine, feedback_id, reviewer, "approve", text)


def reject(engine: sa.Engine, feedback_id: int, reviewer: str, note: str = "", tag: Tag = "", owner: str = "") -> None:
    """Keep a row out of training, with a note that says why, and the kind of error. Where another reviewer has approved
    it, it is disputed until there is a majority."""
    _say(engine, feedback_id, reviewer, "reject", note=note, tag=tag, owner=owner)


def hand_back(engine: sa.Engine, feedback_id: int, by: str, reason: str) -> None:
    """Reject a row whatever reviewers said, because it is not fit to learn from."""
    _decide(engine, feedback_id, state="rejected", reviewer=by, note=reason, approved_digest=None)


def reopen(engine: sa.Engine, feedback_id: int) -> None:
    """Undo every decision about a row."""
    _decide(engine, feedback_id, **_UNDECIDED)
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.opinions).where(db.opinions.c.feedback_id == feedback_id))


def undo(engine: sa.Engine, feedback_id: int, reviewer: str) -> None:
    """Take back what one reviewer decided; where nobody else has decided anything, the row waits again."""
    mine = (db.opinions.c.feedback_id == feedback_id) & (db.opinions.c.reviewer == reviewer)
    others = [one for one in opinions(engine, feedback_id) if one.reviewer != reviewer]
    if not others:
        reopen(engine, feedback_id)
        return
    row = find(engine, feedback_id)
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.opinions).where(mine))
        _settle(connection, row)


def opinions(engine: sa.Engine, feedback_id: int) -> list[Opinion]:
    """What each reviewer decided about a row, the first first."""
    said = sa.select(db.opinions).where(db.opinions.c.feedback_id == feedback_id).order_by(db.opinions.c.opinion_id)
    return [Opinion(row.reviewer, row.verdict, row.rewrite, row.note) for row in db.rows(engine, said)]


def assign(engine: sa.Engine, feedback_ids: Sequence[int], reviewer: str) -> None:
    """Ask a reviewer ("" for nobody) to look at these rows."""
    chosen = db.feedback.c.feedback_id.in_(list(feedback_ids))
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.feedback).where(chosen).values(assignee=reviewer.strip()[:LONGEST_NAME]))


def reviewers(engine: sa.Engine) -> list[str]:
    """Everybody who has decided something or was asked to."""
    said = db.rows(engine, sa.select(db.opinions.c.reviewer.label("name")).distinct())
    asked = db.rows(engine, sa.select(db.feedback.c.assignee.label("name")).distinct())
    return sorted({str(row.name) for row in (*said, *asked)} - {""})


def reports(engine: sa.Engine) -> list[Feedback]:
    """The answers that a reviewer found wrong, and that nobody has seen to, the oldest first."""
    table = db.feedback.c
    query = sa.select(db.feedback).where(table.tag == "wrong fact", table.settled_at.is_(None))
    query = query.where(table.state.in_(("rejected", "disputed")))
    return [_feedback(row) for row in db.rows(engine, query.order_by(table.feedback_id))]


def settle_report(engine: sa.Engine, feedback_id: int, by: str) -> None:
    """Note that the document behind a wrong answer was seen to."""
    _decide(engine, feedback_id, settled_at=db.now(), settled_by=by)


def learned_in(engine: sa.Engine, answer_ids: Sequence[str]) -> dict[str, str]:
    """Which version learned from the opinions about these answers, by answer."""
    table = db.feedback.c
    query = sa.select(table.answer_id, table.trained_in).where(
        table.answer_id.in_(list(answer_ids)), table.trained_in.is_not(None)
    )
    return {row.answer_id: row.trained_in for row in db.rows(engine, query)}


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


def _say(
    engine: sa.Engine,
    feedback_id: int,
    reviewer: str,
    verdict: Verdict,
    rewrite: str = "",
    note: str = "",
    tag: Tag = "",
    owner: str = "",
) -> None:
    """Keep what one reviewer decides, in place of what they decided before, and what follows from all of them."""
    row = find(engine, feedback_id)
    mine = (db.opinions.c.feedback_id == feedback_id) & (db.opinions.c.reviewer == reviewer)
    said = {"feedback_id": feedback_id, "reviewer": reviewer, "verdict": verdict, "rewrite": rewrite, "note": note}
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.opinions).where(mine))
        connection.execute(sa.insert(db.opinions).values(**said, created_at=db.now()))
        _settle(connection, row, **({"tag": tag, "owner": owner, "settled_at": None} if tag else {}))


def _settle(connection: sa.Connection, row: Feedback, **also: Any) -> None:
    """Let the majority of the reviewers decide; where there is none the row is disputed, and trains nothing."""
    table = db.opinions.c
    said = connection.execute(
        sa.select(db.opinions).where(table.feedback_id == row.feedback_id).order_by(table.opinion_id)
    ).all()
    approving = [one for one in said if one.verdict == "approve"]
    rejecting = [one for one in said if one.verdict == "reject"]
    if not said:
        values = dict(_UNDECIDED)
    elif len(approving) > len(rejecting):
        text = approving[-1].rewrite
        digest = _digest(row.question, [asdict(passage) for passage in row.evidence], text)
        values = {"state": "approved", "reviewer": approving[-1].reviewer, "rewrite": text, "note": ""}
        values |= {"approved_digest": digest, "tag": "style" if text != row.answer else ""}
    else:
        state = "rejected" if len(rejecting) > len(approving) else "disputed"
        values = {"state": state, "reviewer": rejecting[-1].reviewer, "note": rejecting[-1].note}
        values |= {"approved_digest": None, "rewrite": approving[-1].rewrite if approving else row.rewrite}
    changed = sa.update(db.feedback).where(db.feedback.c.feedback_id == row.feedback_id)
    connection.execute(changed.values(**{**values, **also}))


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
        assignee=row.assignee,
        tag=row.tag,
        owner=row.owner,
    )
