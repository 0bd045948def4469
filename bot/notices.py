"""What needs a person: an alarm or a question that stays on the Documents page until it is settled."""

import sqlalchemy as sa

from bot import db

MASS_DELETION = "mass-deletion"
INBOX_MISSING = "inbox-missing"


def put(engine: sa.Engine, name: str, text: str) -> None:
    """Show a notice, or say the same one anew."""
    with db.writing(engine) as connection:
        changed = connection.execute(sa.update(db.notices).where(db.notices.c.name == name).values(text=text))
        if not changed.rowcount:
            connection.execute(sa.insert(db.notices).values(name=name, text=text, created_at=db.now()))


def clear(engine: sa.Engine, name: str) -> None:
    """Take a notice away."""
    if get(engine, name) is not None:
        with db.writing(engine) as connection:
            connection.execute(sa.delete(db.notices).where(db.notices.c.name == name))


def get(engine: sa.Engine, name: str) -> str | None:
    """The text of a notice, or None where it is not up."""
    row = db.one(engine, sa.select(db.notices.c.text).where(db.notices.c.name == name))
    return row.text if row else None
