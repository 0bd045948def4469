"""The registry of style adapters: candidate -> active -> retired, or rejected by the gate.

An adapter is never overwritten; each version has a name of its own, because a reloaded name leaves stale caches
behind. This module knows nothing of how adapters are trained or served.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import AdapterRefused
from bot.records import Adapter, AdapterState


def next_name(engine: sa.Engine) -> str:
    """The name of the next version: `style-v1`, `style-v2`, ..."""
    names = [row.name for row in db.rows(engine, sa.select(db.adapters.c.name))]
    return f"style-v{max([int(name.rpartition('v')[2]) for name in names], default=0) + 1}"


def register(
    connection: sa.Connection,
    name: str,
    path: str,
    *,
    base: str,
    meta: dict[str, Any],
    report: dict[str, Any],
    state: AdapterState,
) -> None:
    """Note a trained adapter and what the gate said of it."""
    connection.execute(
        sa.insert(db.adapters).values(
            name=name, path=path, base=base, meta=meta, report=report, state=state, created_at=db.now()
        )
    )


def listing(engine: sa.Engine) -> list[Adapter]:
    """Every version, newest first."""
    return [_adapter(row) for row in db.rows(engine, sa.select(db.adapters).order_by(db.adapters.c.created_at.desc()))]


def find(engine: sa.Engine, name: str) -> Adapter:
    """One version by its name; `v3` is short for `style-v3`."""
    full = name if name.startswith("style-") else f"style-{name}"
    row = db.one(engine, sa.select(db.adapters).where(db.adapters.c.name == full))
    if row is None:
        raise AdapterRefused(f"There is no adapter '{name}'; `frontdesk adapters list` shows what there is.")
    return _adapter(row)


def active(engine: sa.Engine) -> Adapter | None:
    """The version that speaks to customers now, or None where the base model speaks."""
    row = db.one(engine, sa.select(db.adapters).where(db.adapters.c.state == "active"))
    return None if row is None else _adapter(row)


def judge(connection: sa.Connection, name: str, report: dict[str, Any], state: AdapterState) -> None:
    """Keep what the gate measured of a version, and let it speak (`active`) or not, in the caller's transaction."""
    speaking = connection.execute(sa.select(db.adapters.c.name).where(db.adapters.c.state == "active")).scalar()
    judged = sa.update(db.adapters).where(db.adapters.c.name == name)
    connection.execute(judged.values(report=report, parent=speaking))
    if state == "active":
        _switch_in(connection, name, {})
    else:
        connection.execute(judged.values(state=state))


def activate(engine: sa.Engine, name: str | None) -> None:
    """Let this version (None: the base model) speak from the next question on."""
    before = active(engine)
    _switch(engine, name, {"parent": before.name if before else None})


def _switch(engine: sa.Engine, name: str | None, also: dict[str, Any]) -> None:
    with db.writing(engine) as connection:
        _switch_in(connection, name, also)


def _switch_in(connection: sa.Connection, name: str | None, also: dict[str, Any]) -> None:
    retire = sa.update(db.adapters).where(db.adapters.c.state == "active", db.adapters.c.name != (name or ""))
    connection.execute(retire.values(state="retired"))
    if name is not None:
        chosen = sa.update(db.adapters).where(db.adapters.c.name == name, db.adapters.c.state != "active")
        connection.execute(chosen.values(state="active", activated_at=db.now(), **also))


def roll_back(engine: sa.Engine) -> Adapter | None:
    """Return to the version that spoke before the active one (None: the base model), and make it speak."""
    current = active(engine)
    if current is None:
        raise AdapterRefused("The base model speaks already, so there is nothing to roll back to.")
    previous = find(engine, current.parent) if current.parent else None
    _switch(engine, previous.name if previous else None, {})
    return previous


def _adapter(row: db.Row) -> Adapter:
    return Adapter(
        name=row.name,
        state=row.state,
        path=row.path,
        parent=row.parent,
        base=row.base,
        meta=row.meta,
        report=row.report,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        activated_at=None if row.activated_at is None else datetime.fromtimestamp(row.activated_at, UTC),
    )
