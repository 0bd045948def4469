"""Erasing a customer's conversation: all that was said in it, all that was made of it, and a mark on every version that
has learned from it, which is to be trained again without.

What a reviewer pinned stays: it is the company's answer, in words that staff approved.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot import adapters, db, jobs
from bot.errors import NotAllowed


@dataclass(frozen=True)
class Forgotten:
    """What was erased, in rows of each kind, and the versions that are to be trained again."""

    conversation_id: str
    answers: int
    feedback: int
    labels: int
    gaps: int
    handoffs: int
    comparisons: int
    adapters: tuple[str, ...]


def forget(engine: sa.Engine, name: str) -> Forgotten:
    """Erase a conversation, named by its id or by that of one of its answers, and everything that came of it, at once
    or not at all. Raises `NotAllowed` where there is none."""
    with db.writing(engine) as connection:
        conversation_id = _conversation(connection, name)
        given = connection.execute(
            sa.select(db.answers.c.answer_id, db.answers.c.question).where(
                db.answers.c.conversation_id == conversation_id
            )
        ).all()
        answer_ids, questions = {row.answer_id for row in given}, {row.question for row in given}
        marked, opinions = _forget_feedback(connection, answer_ids)
        comparisons = _delete(connection, db.contests, db.contests.c.source_answer_id.in_(answer_ids))
        gaps = _delete(connection, db.gaps, db.gaps.c.answer_id.in_(answer_ids))
        handoffs = _delete(connection, db.handoffs, db.handoffs.c.conversation_id == conversation_id)
        labels = _delete(connection, db.labels, db.labels.c.text.in_(_only_theirs(connection, questions, answer_ids)))
        # the same questions asked again for nobody: for a gap, a comparison or a replay
        again = db.answers.c.conversation_id.is_(None) & db.answers.c.question.in_(questions)
        answers = _delete(connection, db.answers, db.answers.c.answer_id.in_(answer_ids) | again)
        _delete(connection, db.conversations, db.conversations.c.conversation_id == conversation_id)
    db.compact(engine)
    return Forgotten(conversation_id, answers, opinions, labels, gaps, handoffs, comparisons, tuple(marked))


def _conversation(connection: sa.Connection, name: str) -> str:
    kept, given = db.conversations.c.conversation_id, db.answers.c
    found = connection.scalar(sa.select(kept).where(kept == name)) or connection.scalar(
        sa.select(given.conversation_id).where(given.answer_id == name)
    )
    if found is None:
        raise NotAllowed(f"There is no conversation '{name}', nor one with such an answer.")
    return str(found)


def _forget_feedback(connection: sa.Connection, answer_ids: set[str]) -> tuple[list[str], int]:
    """Erase what was thought of the answers, and mark the versions that learned from it."""
    rated = sa.select(db.feedback.c.feedback_id).where(db.feedback.c.answer_id.in_(answer_ids))
    rows = list(connection.execute(rated).scalars())
    reason = "What it learned from was erased in part, at a customer's wish."
    marked = adapters.mark_stale(connection, rows, reason)
    _delete(connection, db.opinions, db.opinions.c.feedback_id.in_(rows))
    jobs.forget_shown(connection, "train", "samples")  # one of the rows may have been asked
    return marked, _delete(connection, db.feedback, db.feedback.c.feedback_id.in_(rows))


def _only_theirs(connection: sa.Connection, questions: set[str], answer_ids: set[str]) -> set[str]:
    """The questions that nobody asked in the same words in another conversation."""
    others = sa.select(db.answers.c.question).where(
        db.answers.c.question.in_(questions),
        db.answers.c.conversation_id.is_not(None),
        db.answers.c.answer_id.not_in(answer_ids),
    )
    return questions - set(connection.execute(others).scalars())


def _delete(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[Any]) -> int:
    return int(connection.execute(sa.delete(table).where(which)).rowcount)
