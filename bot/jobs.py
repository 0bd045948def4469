"""Units of work as rows. The row is the truth; a lost, doubled or late message changes nothing.

A worker claims a job for the length of a lease, renews the lease while it works, and may publish only while its
fence is still the newest. This module knows nothing of Celery; `bot.bell` rings for it.
"""

from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import LeaseLost
from bot.records import Job

LEASE_SECONDS = 30
HEARTBEAT_SECONDS = 8
RING_AGAIN_SECONDS = 10
MOST_RUNG_AT_ONCE = 100
MAX_ATTEMPTS = 3

_names = ("job_id", "kind", "subject", "state", "fence", "attempts", "error", "progress")
_columns = [db.jobs.c[name] for name in _names]


def enqueue(connection: sa.Connection, kind: str, subject: str) -> int:
    """Make sure that this work waits to be done, and return its id. Work that waits already is not doubled."""
    found = connection.execute(
        sa.select(db.jobs.c.job_id).where(db.jobs.c.kind == kind, db.jobs.c.subject == subject)
    ).scalar()
    fresh = {"state": "queued", "attempts": 0, "error": None, "progress": {}, "lease_until": 0.0}
    fresh |= {"created_at": db.now(), "rung_at": db.now()}
    if found is not None:
        connection.execute(
            sa.update(db.jobs).where(db.jobs.c.job_id == found).values(**fresh, fence=db.jobs.c.fence + 1)
        )
        return int(found)
    inserted = connection.execute(sa.insert(db.jobs).values(kind=kind, subject=subject, fence=0, **fresh))
    return db.new_id(inserted)


def claim(engine: sa.Engine, job_id: int) -> Job | None:
    """Take a job for `LEASE_SECONDS`, or return None where another worker has it or it is done."""
    free = (db.jobs.c.state == "queued") | ((db.jobs.c.state == "running") & (db.jobs.c.lease_until < db.now()))
    with db.writing(engine) as connection:
        taken = connection.execute(
            sa.update(db.jobs)
            .where(db.jobs.c.job_id == job_id, free, db.jobs.c.attempts < MAX_ATTEMPTS)
            .values(
                state="running",
                fence=db.jobs.c.fence + 1,
                attempts=db.jobs.c.attempts + 1,
                lease_until=db.now() + LEASE_SECONDS,
            )
        )
        if not taken.rowcount:
            return None
        return Job(*connection.execute(sa.select(*_columns).where(db.jobs.c.job_id == job_id)).one())


def renew(engine: sa.Engine, job: Job) -> None:
    """Say that the work goes on. Raises `LeaseLost` where somebody else has taken over."""
    with db.writing(engine) as connection:
        _update_held(connection, job, lease_until=db.now() + LEASE_SECONDS)


def report(engine: sa.Engine, job: Job, progress: dict[str, Any]) -> None:
    """Show how far the work has come."""
    with db.writing(engine) as connection:
        _update_held(connection, job, progress=progress)


def finish(connection: sa.Connection, job: Job, state: str = "done", error: str | None = None) -> None:
    """End a job inside the transaction that publishes its result, so that both happen or neither."""
    _update_held(connection, job, state=state, error=error, finished_at=db.now())


def _update_held(connection: sa.Connection, job: Job, **values: Any) -> None:
    held = connection.execute(
        sa.update(db.jobs)
        .where(db.jobs.c.job_id == job.job_id, db.jobs.c.fence == job.fence, db.jobs.c.state == "running")
        .values(**values)
    )
    if not held.rowcount:
        raise LeaseLost(f"Job {job.job_id} ({job.kind} {job.subject}) was taken over or ended, so this run stops.")


def wait(engine: sa.Engine, job: Job, error: str) -> None:
    """Put a job back because something that it needs is down. That is not the job's fault, so no attempt is counted."""
    with db.writing(engine) as connection:
        waiting = {"state": "queued", "error": error, "lease_until": 0.0, "rung_at": db.now()}
        _update_held(connection, job, attempts=db.jobs.c.attempts - 1, **waiting)


def overdue(engine: sa.Engine) -> list[Job]:
    """Jobs whose message was lost or whose worker died, marked as rung again. Every caller gets each one once."""
    silent = (db.jobs.c.state == "queued") & (db.jobs.c.rung_at < db.now() - RING_AGAIN_SECONDS)
    abandoned = (db.jobs.c.state == "running") & (db.jobs.c.lease_until < db.now())
    with db.writing(engine) as connection:
        waiting = sa.select(*_columns).where((silent | abandoned) & (db.jobs.c.attempts < MAX_ATTEMPTS))
        found = connection.execute(waiting.order_by(db.jobs.c.rung_at).limit(MOST_RUNG_AT_ONCE)).all()
        ids = [row.job_id for row in found]
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id.in_(ids)).values(state="queued", rung_at=db.now()))
    return [Job(*row) for row in found]


def exhausted(engine: sa.Engine) -> list[Job]:
    """Jobs whose workers died as often as a job may. They are marked `quarantined` and returned once."""
    dead = (db.jobs.c.state == "running") & (db.jobs.c.lease_until < db.now()) | (db.jobs.c.state == "queued")
    error = f"Its worker died {MAX_ATTEMPTS} times; look at the file, then try again."
    with db.writing(engine) as connection:
        found = connection.execute(sa.select(*_columns).where(dead & (db.jobs.c.attempts >= MAX_ATTEMPTS))).all()
        ids = [row.job_id for row in found]
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id.in_(ids)).values(state="quarantined", error=error))
    return [Job(*row) for row in found]


def known(engine: sa.Engine, kind: str, subject: str) -> bool:
    """Whether this work was ever asked for."""
    query = sa.select(db.jobs.c.job_id).where(db.jobs.c.kind == kind, db.jobs.c.subject == subject)
    return db.one(engine, query) is not None


def find(engine: sa.Engine, job_id: int) -> Job | None:
    """One job as it stands."""
    row = db.one(engine, sa.select(*_columns).where(db.jobs.c.job_id == job_id))
    return Job(*row) if row else None


def latest(engine: sa.Engine, kind: str) -> Job | None:
    """The newest job of a kind."""
    newest = sa.select(*_columns).where(db.jobs.c.kind == kind).order_by(db.jobs.c.created_at.desc()).limit(1)
    row = db.one(engine, newest)
    return Job(*row) if row else None


def count_by_state(engine: sa.Engine) -> dict[str, int]:
    """How many jobs are in each state."""
    query = sa.select(db.jobs.c.state, sa.func.count()).group_by(db.jobs.c.state)
    return {row[0]: row[1] for row in db.rows(engine, query)}
