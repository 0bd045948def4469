"""Who asked what and what they were told. A customer sees only their own conversations; to anybody else an id that
exists looks exactly like one that does not."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import NotAllowed
from bot.records import Answer, Citation, Manner, Nearby, Passage, Timings, Turn

HISTORY_TURNS = 6


def start(engine: sa.Engine, customer: str) -> str:
    """Open a conversation for a customer and return its id."""
    conversation_id = secrets.token_hex(16)
    with db.writing(engine) as connection:
        connection.execute(
            sa.insert(db.conversations).values(conversation_id=conversation_id, customer=customer, created_at=db.now())
        )
    return conversation_id


def keep(engine: sa.Engine, answer: Answer, conversation_id: str | None) -> None:
    """Store an answer with everything that it was made from."""
    with db.writing(engine) as connection:
        connection.execute(
            sa.insert(db.answers).values(
                answer_id=answer.answer_id,
                conversation_id=conversation_id,
                question=answer.question,
                answer=asdict(answer),
                created_at=db.now(),
            )
        )


def answer(engine: sa.Engine, answer_id: str, customer: str | None = None) -> Answer:
    """An answer by its id; with `customer`, only if it was given to them. Raises `NotAllowed` otherwise."""
    query = (
        sa.select(db.answers.c.answer)
        .outerjoin(db.conversations, db.conversations.c.conversation_id == db.answers.c.conversation_id)
        .where(db.answers.c.answer_id == answer_id)
    )
    if customer is not None:
        query = query.where(db.conversations.c.customer == customer)
    row = db.one(engine, query)
    if row is None:
        raise NotAllowed(f"There is no answer '{answer_id}' among yours.")
    return _answer(row.answer)


def answers(engine: sa.Engine, conversation_id: str, customer: str) -> list[Answer]:
    """The answers of one of the customer's conversations, oldest first."""
    query = (
        sa.select(db.answers.c.answer)
        .join(db.conversations, db.conversations.c.conversation_id == db.answers.c.conversation_id)
        .where(db.conversations.c.conversation_id == conversation_id, db.conversations.c.customer == customer)
        .order_by(db.answers.c.created_at)
    )
    return [_answer(row.answer) for row in db.rows(engine, query)]


def require(engine: sa.Engine, conversation_id: str, customer: str) -> None:
    """Raise `NotAllowed` unless this conversation exists and is the customer's."""
    query = sa.select(db.conversations.c.conversation_id).where(
        db.conversations.c.conversation_id == conversation_id, db.conversations.c.customer == customer
    )
    if db.one(engine, query) is None:
        raise NotAllowed("There is no such conversation among yours; please start a new one.")


def ratings(engine: sa.Engine, conversation_id: str, customer: str) -> dict[str, int]:
    """The customer's thumbs in one of their conversations, by answer."""
    query = (
        sa.select(db.feedback.c.answer_id, db.feedback.c.rating)
        .join(db.answers, db.answers.c.answer_id == db.feedback.c.answer_id)
        .join(db.conversations, db.conversations.c.conversation_id == db.answers.c.conversation_id)
        .where(db.conversations.c.conversation_id == conversation_id, db.conversations.c.customer == customer)
    )
    return {row.answer_id: row.rating for row in db.rows(engine, query)}


def latest(engine: sa.Engine, customer: str) -> str | None:
    """The id of the customer's newest conversation."""
    query = (
        sa.select(db.conversations.c.conversation_id)
        .where(db.conversations.c.customer == customer)
        .order_by(db.conversations.c.created_at.desc())
        .limit(1)
    )
    row = db.one(engine, query)
    return None if row is None else str(row.conversation_id)


def history(given: list[Answer]) -> tuple[Turn, ...]:
    """The last turns of a conversation, as the next question needs them."""
    turns = [turn for answer in given for turn in (Turn("user", answer.question), Turn("assistant", answer.text))]
    return tuple(turns[-HISTORY_TURNS:])


def recent(engine: sa.Engine, limit: int = 1_000) -> list[Answer]:
    """The newest answers of all customers, for the staff's insights."""
    query = sa.select(db.answers.c.answer).order_by(db.answers.c.created_at.desc()).limit(limit)
    return [_answer(row.answer) for row in db.rows(engine, query)]


def _answer(stored: Mapping[str, Any]) -> Answer:
    return Answer(
        **{
            **stored,
            "citations": tuple(Citation(**citation) for citation in stored["citations"]),
            "passages": tuple(Passage(**passage) for passage in stored["passages"]),
            "dropped": tuple(stored["dropped"]),
            "timings_ms": Timings(**stored["timings_ms"]),
            "nearby": tuple(Nearby(**nearby) for nearby in stored.get("nearby", ())),
            "manner": Manner(**stored["manner"]) if stored.get("manner") else None,
            "messages": tuple(stored.get("messages", ())),
            "keys": tuple(stored.get("keys", ())),
        }
    )


def origins(engine: sa.Engine, answer_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The conversation and the customer of each of these answers that was given in one."""
    query = (
        sa.select(db.answers.c.answer_id, db.conversations.c.conversation_id, db.conversations.c.customer)
        .join(db.conversations, db.conversations.c.conversation_id == db.answers.c.conversation_id)
        .where(db.answers.c.answer_id.in_(list(answer_ids)))
    )
    return {row.answer_id: (row.conversation_id, row.customer) for row in db.rows(engine, query)}
