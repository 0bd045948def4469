"""What reviewers say about how questions were meant. A label holds for the exact text; the newest counts."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot import conversations, db
from bot.records import Answer, Manner

VALUES = {"scope": ("in", "out"), "sentiment": ("calm", "upset"), "urgency": ("routine", "urgent")}


@dataclass(frozen=True)
class Judged:
    """A question with what the classifiers thought (None where they were not asked) and what reviewers said of it,
    `{kind: value}`."""

    text: str
    manner: Manner | None
    said: dict[str, str]


def put(engine: sa.Engine, text: str, said: dict[str, str], reviewer: str) -> None:
    """Record how a question was meant: `{kind: value}`, as in `VALUES`."""
    with db.writing(engine) as connection:
        for kind, value in said.items():
            assert value in VALUES[kind], f"{kind} is one of {VALUES[kind]}, not '{value}'"
            connection.execute(sa.delete(db.labels).where(db.labels.c.kind == kind, db.labels.c.text == text))
            row = {"kind": kind, "text": text, "value": value, "reviewer": reviewer, "created_at": db.now()}
            connection.execute(sa.insert(db.labels).values(**row))


def forget(engine: sa.Engine, text: str) -> None:
    """Take back what was said about a question."""
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.labels).where(db.labels.c.text == text, db.labels.c.kind.in_(VALUES)))


def said(engine: sa.Engine) -> dict[str, dict[str, str]]:
    """All labels, newest first: `{text: {kind: value}}`."""
    chosen = sa.select(db.labels.c.text, db.labels.c.kind, db.labels.c.value).where(db.labels.c.kind.in_(VALUES))
    texts: dict[str, dict[str, str]] = {}
    for text, kind, value in db.rows(engine, chosen.order_by(db.labels.c.label_id.desc())):
        texts.setdefault(text, {})[kind] = value
    return texts


def recent(engine: sa.Engine, limit: int = 200) -> list[Judged]:
    """The questions of the newest answers, each text once, newest first."""
    corrected = said(engine)
    newest: dict[str, Answer] = {}
    for answer in conversations.recent(engine, limit):
        newest.setdefault(answer.question, answer)
    return [Judged(text, answer.manner, corrected.get(text, {})) for text, answer in newest.items()]
