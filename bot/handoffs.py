"""Customers who wait for a person: which answer they did not want to be left with, how they can be reached, and the
conversation so far."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import sqlalchemy as sa

from bot import conversations, db
from bot.errors import NotAllowed
from bot.records import Answer

LONGEST_NOTE = 2_000
LONGEST_LINK = 1_900  # characters; some mail programs and browsers cut a longer address off
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


@dataclass(frozen=True)
class Handoff:
    """A conversation that waits for a person, or was taken over by one. `note` is how the customer can be reached and
    what they added."""

    handoff_id: int
    answer_id: str
    conversation_id: str
    question: str
    note: str
    created_at: datetime
    done_at: datetime | None
    done_by: str


def request(engine: sa.Engine, answer: Answer, conversation_id: str, note: str = "") -> int:
    """Let a person take over a conversation at one of its answers; return the request's id. Asked again, it takes the
    new note, until it is done.

    Who asks must own the conversation (`conversations.require`). Raises `NotAllowed` where the answer is not of it.
    """
    of_it = sa.select(db.answers.c.answer_id).where(
        db.answers.c.answer_id == answer.answer_id, db.answers.c.conversation_id == conversation_id
    )
    known = sa.select(db.handoffs.c.handoff_id).where(db.handoffs.c.answer_id == answer.answer_id)
    with db.writing(engine) as connection:
        if connection.execute(of_it).first() is None:
            raise NotAllowed("There is no such answer in this conversation; please ask your question again.")
        handoff_id = connection.scalar(known)
        if handoff_id is None:
            row = {"answer_id": answer.answer_id, "conversation_id": conversation_id, "note": note[:LONGEST_NOTE]}
            return db.new_id(connection.execute(sa.insert(db.handoffs).values(**row, created_at=db.now())))
        waiting = (db.handoffs.c.handoff_id == handoff_id) & db.handoffs.c.done_at.is_(None)
        connection.execute(sa.update(db.handoffs).where(waiting).values(note=note[:LONGEST_NOTE]))
        return int(handoff_id)


def is_requested(engine: sa.Engine, answer_id: str) -> bool:
    """Whether a person was asked for at this answer."""
    return db.one(engine, sa.select(db.handoffs.c.handoff_id).where(db.handoffs.c.answer_id == answer_id)) is not None


def listing(engine: sa.Engine, open_only: bool = True, most: int = 100) -> list[Handoff]:
    """The requests: those that wait, the longest waiting first, then those that are done, the last done first."""
    table = db.handoffs.c
    query = sa.select(db.handoffs, db.answers.c.question).join(db.answers, db.answers.c.answer_id == table.answer_id)
    if open_only:
        query = query.where(table.done_at.is_(None))
    waits = sa.case((table.done_at.is_(None), table.created_at), else_=None)
    order = query.order_by(waits.is_(None), waits, table.done_at.desc(), table.handoff_id).limit(most)
    return [_handoff(row) for row in db.rows(engine, order)]


def done(engine: sa.Engine, handoff_id: int, by: str) -> None:
    """Note that a person has taken over. Raises `NotAllowed` where there is no such request."""
    with db.writing(engine) as connection:
        if connection.scalar(sa.select(db.handoffs.c.handoff_id).where(db.handoffs.c.handoff_id == handoff_id)) is None:
            raise NotAllowed(f"There is no hand-over {handoff_id}.")
        open_one = (db.handoffs.c.handoff_id == handoff_id) & db.handoffs.c.done_at.is_(None)
        connection.execute(sa.update(db.handoffs).where(open_one).values(done_at=db.now(), done_by=by))


def transcript(engine: sa.Engine, conversation_id: str) -> str:
    """A whole conversation as plain text, for the person who takes over; empty where there is none."""
    of_it = sa.select(db.conversations.c.customer).where(db.conversations.c.conversation_id == conversation_id)
    row = db.one(engine, of_it)
    if row is None:
        return ""
    given = conversations.answers(engine, conversation_id, row.customer)
    return "\n\n".join(f"Customer: {answer.question}\nFrontdesk: {answer.text}" for answer in given)


def mail_link(contact: str, transcript: str, subject: str = "A question for a person") -> str | None:
    """A `mailto:` address (RFC 6068) that opens a mail to the contact with the transcript in it, or None where the
    contact is no e-mail address. Of a transcript that is too long the end is kept."""
    if not _ADDRESS.fullmatch(contact.strip()):
        return None
    link = f"mailto:{quote(contact.strip(), safe='@')}?subject={quote(subject, safe='')}&body="
    text = "\r\n".join(transcript.splitlines())
    room = LONGEST_LINK - len(link)
    text = text[-room:] if room > 0 else ""
    while len(body := quote(text, safe="")) > room:
        text = text[max(1, (len(body) - room) // 12) :]
    return link + body


def _handoff(row: db.Row) -> Handoff:
    return Handoff(
        handoff_id=row.handoff_id,
        answer_id=row.answer_id,
        conversation_id=row.conversation_id,
        question=row.question,
        note=row.note,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        done_at=None if row.done_at is None else datetime.fromtimestamp(row.done_at, UTC),
        done_by=row.done_by,
    )
