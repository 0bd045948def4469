"""The registry of style adapters: candidate -> canary -> active -> retired, or rejected by the gate.

An adapter is never overwritten; each version has a name of its own, because a reloaded name leaves stale caches
behind. Every step is kept with its reason. This module knows nothing of how adapters are trained or served, of which
conversations hear a canary (`bot.voices`), or of when one is to be rolled back (`bot.watch`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot import db
from bot.errors import AdapterRefused
from bot.records import Adapter, AdapterState

BASE = ""  # the model without a style, where a version's name is asked for
Step = Literal["trained", "rejected", "canary", "active", "rolled back", "retired", "stale", "pinned", "unpinned"]


@dataclass(frozen=True)
class Release:
    """One step of a version's life, with its reason and who took it (empty: Frontdesk itself)."""

    adapter: str
    step: Step
    reason: str
    author: str
    created_at: datetime


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
    note(connection, name, "trained")


def learned(connection: sa.Connection, name: str, feedback_ids: Sequence[int]) -> None:
    """Note which rows of feedback a version learned from, so that it is known when one of them is erased."""
    rows = [{"adapter": name, "feedback_id": feedback_id} for feedback_id in dict.fromkeys(feedback_ids)]
    if rows:
        connection.execute(sa.insert(db.learned_rows), rows)


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
    return _in_state(engine, "active")


def canary(engine: sa.Engine) -> Adapter | None:
    """The version that a share of the conversations hears, or None."""
    return _in_state(engine, "canary")


def history(engine: sa.Engine, most: int = 100) -> list[Release]:
    """What was done with the versions, the last first."""
    query = sa.select(db.release_steps).order_by(db.release_steps.c.step_id.desc()).limit(most)
    return [
        Release(row.adapter, row.step, row.reason, row.author, datetime.fromtimestamp(row.created_at, UTC))
        for row in db.rows(engine, query)
    ]


def judge(connection: sa.Connection, name: str, report: dict[str, Any], state: AdapterState, reason: str = "") -> None:
    """Keep what the gate measured of a version, and let it speak (`active`), to some (`canary`), or not, in the
    caller's transaction."""
    judged = sa.update(db.adapters).where(db.adapters.c.name == name)
    connection.execute(judged.values(report=report, parent=_speaking(connection)))
    if state == "active":
        _switch_in(connection, name, {})
        note(connection, name, "active", reason)
    elif state == "canary":
        _try(connection, name, reason)
    else:
        connection.execute(judged.values(state=state))
        note(connection, name, "rejected", reason)


def activate(engine: sa.Engine, name: str | None, author: str = "", reason: str = "") -> None:
    """Let this version (None: the base model) speak from the next question on. Raises `AdapterRefused` where what it
    learned from has been erased since."""
    chosen, spoke = find(engine, name) if name else None, active(engine)
    if chosen and chosen.stale:
        raise AdapterRefused(f"{chosen.name} must not speak again. {chosen.stale} Train a new version instead.")
    if chosen and spoke and chosen.name == spoke.name:
        return
    with db.writing(engine) as connection:
        _switch_in(connection, chosen.name if chosen else None, {"parent": spoke.name if spoke else None})
        note(connection, chosen.name if chosen else BASE, "active", reason, author)


def start_canary(engine: sa.Engine, name: str, author: str = "", reason: str = "") -> None:
    """Let a share of the conversations hear this version. Raises `AdapterRefused` where it speaks to all already, or
    may not speak."""
    chosen = find(engine, name)
    if chosen.stale or chosen.state in ("active", "rejected"):
        why = chosen.stale or f"It is {chosen.state}."
        raise AdapterRefused(f"{chosen.name} cannot be tried with some conversations. {why}")
    with db.writing(engine) as connection:
        _try(connection, chosen.name, reason, author)


def end_canary(engine: sa.Engine, author: str = "", reason: str = "", name: str | None = None) -> bool:
    """Let nobody hear the canary (only if it is the named one) any more; whether there was one."""
    with db.writing(engine) as connection:
        return _retire_canary(connection, reason, author, "rolled back", name)


def promote_canary(engine: sa.Engine, name: str, author: str = "", reason: str = "") -> bool:
    """Let everybody hear the canary, if it still is one; whether it was."""
    with db.writing(engine) as connection:
        waits = (db.adapters.c.name == name) & (db.adapters.c.state == "canary")
        if not connection.execute(sa.update(db.adapters).where(waits).values(parent=_speaking(connection))).rowcount:
            return False
        _switch_in(connection, name, {})
        note(connection, name, "active", reason, author)
        return True


def roll_back(engine: sa.Engine, author: str = "", reason: str = "", name: str | None = None) -> Adapter | None:
    """Return to the version that spoke before the active one (None: the base model), and make it speak. One that must
    not speak again is passed over. Raises `AdapterRefused` where the base model speaks, or, with `name`, where another
    version does by now."""
    current = active(engine)
    if name and (current is None or current.name != name):
        raise AdapterRefused(f"{name} does not speak any more; please look again.")
    if current is None:
        raise AdapterRefused("The base model speaks already, so there is nothing to roll back to.")
    previous = before(engine, current)
    with db.writing(engine) as connection:
        still = (db.adapters.c.name == current.name) & (db.adapters.c.state == "active")
        if not connection.execute(sa.update(db.adapters).where(still).values(state="retired")).rowcount:
            raise AdapterRefused(f"{current.name} does not speak any more; please look again.")
        _switch_in(connection, previous.name if previous else None, {})
        note(connection, current.name, "rolled back", reason, author)
    return previous


def before(engine: sa.Engine, current: Adapter) -> Adapter | None:
    """The version that a roll-back returns to; None is the base model."""
    seen, parent = {current.name}, current.parent
    while parent and parent not in seen:
        previous = find(engine, parent)
        if not previous.stale and previous.state != "rejected":
            return previous
        seen.add(parent)
        parent = previous.parent
    return None


def mark_stale(connection: sa.Connection, feedback_ids: Sequence[int], reason: str) -> list[str]:
    """Mark the versions that learned from these rows, in the caller's transaction; return their names."""
    rows, table = list(feedback_ids), db.learned_rows
    names = set(connection.execute(sa.select(table.c.adapter).where(table.c.feedback_id.in_(rows))).scalars())
    # rows of before it was noted who learned what: the first version that had them, and all since, which had them too
    first = (
        sa.select(sa.func.min(db.adapters.c.created_at))
        .join(db.feedback, db.feedback.c.trained_in == db.adapters.c.name)
        .where(db.feedback.c.feedback_id.in_(rows))
    )
    noted = sa.select(table.c.adapter)
    since = connection.scalar(first)
    if since is not None:
        older = (db.adapters.c.created_at >= since) & db.adapters.c.name.not_in(noted)
        names |= set(connection.execute(sa.select(db.adapters.c.name).where(older)).scalars())
    fresh = db.adapters.c.name.in_(names) & (db.adapters.c.stale_reason == "")
    changed = sa.update(db.adapters).where(fresh).values(stale_reason=reason).returning(db.adapters.c.name)
    for name in connection.execute(changed).scalars().all():
        note(connection, name, "stale", reason)
    connection.execute(sa.delete(table).where(table.c.feedback_id.in_(rows)))
    return sorted(names)


def note(connection: sa.Connection, adapter: str, step: Step, reason: str = "", author: str = "") -> None:
    """Write a step into the history, in the transaction that takes it."""
    row = {"adapter": adapter, "step": step, "reason": reason, "author": author, "created_at": db.now()}
    connection.execute(sa.insert(db.release_steps).values(**row))


def _in_state(engine: sa.Engine, state: AdapterState) -> Adapter | None:
    row = db.one(engine, sa.select(db.adapters).where(db.adapters.c.state == state))
    return None if row is None else _adapter(row)


def _speaking(connection: sa.Connection) -> str | None:
    return connection.scalar(sa.select(db.adapters.c.name).where(db.adapters.c.state == "active"))


def _try(connection: sa.Connection, name: str, reason: str, author: str = "") -> None:
    """Make a version the canary, in the place of the one that was."""
    _retire_canary(connection, f"{name} took its place.")
    chosen = sa.update(db.adapters).where(db.adapters.c.name == name)
    connection.execute(chosen.values(state="canary", canary_at=db.now(), parent=_speaking(connection)))
    note(connection, name, "canary", reason, author)


def _switch_in(connection: sa.Connection, name: str | None, also: dict[str, Any]) -> None:
    others = (db.adapters.c.state == "active") & (db.adapters.c.name != (name or BASE))
    connection.execute(sa.update(db.adapters).where(others).values(state="retired"))
    if name is not None:
        chosen = sa.update(db.adapters).where(db.adapters.c.name == name, db.adapters.c.state != "active")
        connection.execute(chosen.values(state="active", activated_at=db.now(), **also))


def _retire_canary(
    connection: sa.Connection, reason: str, author: str = "", step: Step = "retired", name: str | None = None
) -> bool:
    running = db.adapters.c.state == "canary"
    if name is not None:
        running &= db.adapters.c.name == name
    ended = sa.update(db.adapters).where(running).values(state="retired").returning(db.adapters.c.name)
    names = connection.execute(ended).scalars().all()
    for one in names:
        note(connection, one, step, reason, author)
    return bool(names)


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
        canary_at=None if row.canary_at is None else datetime.fromtimestamp(row.canary_at, UTC),
        stale=row.stale_reason,
    )
