"""What the staff set while Frontdesk runs. Each has a name, a value and who set it; what was never set has a default,
which its reader knows."""

from typing import Any

import sqlalchemy as sa

from bot import db

CAUTION = "caution"  # the threshold of the evidence check, 0..1
CANARY_SHARE = "canary_share"  # the share of conversations that hear a canary, 0..1; 0: none is tried first
TRAIN_DAYS = "train_days"  # days after which new rows are learned from though they are few


def get(engine: sa.Engine, name: str, default: Any = None) -> Any:
    """The value that was set, or the default."""
    row = db.one(engine, sa.select(db.preferences.c.value).where(db.preferences.c.name == name))
    return default if row is None else row.value


def put(engine: sa.Engine, name: str, value: Any, author: str) -> None:
    """Set a value; None goes back to the default."""
    with db.writing(engine) as connection:
        connection.execute(sa.delete(db.preferences).where(db.preferences.c.name == name))
        if value is not None:
            row = {"name": name, "value": value, "author": author, "changed_at": db.now()}
            connection.execute(sa.insert(db.preferences).values(**row))
