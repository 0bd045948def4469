"""Who may see the staff pages: one password, stored hashed, and sessions that end."""

import hashlib
import secrets

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from bot import db
from bot.errors import NotAllowed

NAME = "staff"


def ensure_password(engine: sa.Engine) -> str | None:
    """Make the staff password if there is none, and return it this one time; afterwards return None."""
    if db.one(engine, sa.select(db.staff.c.name)):
        return None
    return reset_password(engine)


def reset_password(engine: sa.Engine, password: str | None = None) -> str:
    """Set a new staff password (a random one where none is given), end every session, and return it."""
    chosen = password or secrets.token_urlsafe(9)
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.staff))
        connection.execute(sa.insert(db.staff).values(name=NAME, password_hash=PasswordHasher().hash(chosen)))
    return chosen


def log_in(engine: sa.Engine, password: str, hours: float) -> str:
    """Return the token of a new session. Raises `NotAllowed` where the password is wrong."""
    row = db.one(engine, sa.select(db.staff.c.password_hash))
    try:
        PasswordHasher().verify(row.password_hash if row else "", password)
    except (VerifyMismatchError, ValueError) as error:
        raise NotAllowed("That password is not right. `frontdesk password` sets a new one.") from error
    token = secrets.token_urlsafe(32)
    with db.writing(engine) as connection:
        session = {"token_digest": _digest(token), "name": NAME, "expires_at": db.now() + hours * 3600}
        connection.execute(sa.insert(db.staff_sessions).values(**session))
    return token


def log_out(engine: sa.Engine, token: str) -> None:
    """End a session."""
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.staff_sessions).where(db.staff_sessions.c.token_digest == _digest(token)))


def member(engine: sa.Engine, token: str | None) -> str | None:
    """The name of the member of staff whose session this is, or None. Asked again before every action."""
    if not token:
        return None
    query = sa.select(db.staff_sessions.c.name).where(
        db.staff_sessions.c.token_digest == _digest(token), db.staff_sessions.c.expires_at > db.now()
    )
    row = db.one(engine, query)
    return None if row is None else str(row.name)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
