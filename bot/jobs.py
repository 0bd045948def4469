"""Units of work as rows. The row is the truth; a lost, doubled or late message changes nothing.

A worker claims jobs for the length of a lease, renews the lease while it works, and may publish only while its
fence is still the newest. Jobs wait in lanes, so that what is quick need not wait behind what is slow. This module
knows nothing of Celery; `bot.bell` rings for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bot import db
from bot.errors import LeaseLost
from bot.records import Job

LEASE_SECONDS = 30
HEARTBEAT_SECONDS = 8
RING_AGAIN_SECONDS = 10
MAX_ATTEMPTS = 3
FAST, BULK, GPU = "fast", "bulk", "gpu"
# How many jobs are taken together: in bulk as many as fill the embedding model's batches, and no more, because those
# that a killed worker held are done one by one.
TOGETHER = {FAST: 8, BULK: 64, GPU: 1}
UNDER_WAY = ("queued", "running")
UPDATED_TOGETHER = 1_000  # two variables each, of which SQLite takes 32,766 in a statement

_names = ("job_id", "kind", "subject", "lane", "state", "fence", "attempts", "error", "progress")
_columns = [db.jobs.c[name] for name in _names]


def enqueue(connection: sa.Connection, kind: str, subject: str, lane: str = FAST) -> int:
    """Make sure that this work waits to be done, and return its id. Work that waits already is not doubled."""
    found = connection.execute(
        sa.select(db.jobs.c.job_id).where(db.jobs.c.kind == kind, db.jobs.c.subject == subject)
    ).scalar()
    if found is not None:
        again = sa.update(db.jobs).where(db.jobs.c.job_id == found)
        connection.execute(again.values(**_fresh(), lane=lane, fence=db.jobs.c.fence + 1))
        return int(found)
    return db.new_id(connection.execute(_new(kind).values(subject=subject, lane=lane)))


def enqueue_new(connection: sa.Connection, kind: str, lanes: Mapping[str, str]) -> None:
    """Let work wait that nobody has asked for before: lanes by subject."""
    if lanes:
        connection.execute(_new(kind), [{"subject": subject, "lane": lane} for subject, lane in lanes.items()])


def _new(kind: str) -> sa.Insert:
    return sa.insert(db.jobs).values(kind=kind, fence=0, **_fresh())


def _fresh() -> dict[str, Any]:
    waiting = {"state": "queued", "attempts": 0, "error": None, "progress": {}, "lease_until": 0.0}
    return waiting | {"created_at": db.now(), "rung_at": db.now(), "finished_at": None}


def claim(engine: sa.Engine, lane: str, most: int = 1, beside: Job | None = None) -> list[Job]:
    """Take the next jobs of a lane for `LEASE_SECONDS`: at most so many, all of one kind, the longest waiting first.

    A job that was begun before is taken alone: should it be the one that kills workers, it takes no others with it. So
    whoever holds jobs already, `beside` which these are to be done, gets only such as could have been taken with them.
    """
    with db.writing(engine) as connection:
        waiting = sa.select(*_columns).where(_free(), db.jobs.c.lane == lane).order_by(db.jobs.c.attempts)
        # PostgreSQL lets several workers claim at once; on SQLite a writing transaction is alone
        found = connection.execute(
            waiting.order_by(db.jobs.c.created_at, db.jobs.c.job_id).limit(most).with_for_update(skip_locked=True)
        ).all()
        together = [row for row in found if row.kind == found[0].kind and not row.attempts] or found[:1]
        if beside and (beside.attempts > 1 or any(row.attempts or row.kind != beside.kind for row in together)):
            return []
        ids = [row.job_id for row in together]
        values = {"state": "running", "lease_until": db.now() + LEASE_SECONDS, "progress": {}}
        values |= {"fence": db.jobs.c.fence + 1, "attempts": db.jobs.c.attempts + 1, "started_at": db.now()}
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id.in_(ids)).values(**values))
        chosen = sa.select(*_columns).where(db.jobs.c.job_id.in_(ids)).order_by(db.jobs.c.job_id)
        return [Job(*row) for row in connection.execute(chosen)]


def _free() -> sa.ColumnElement[bool]:
    abandoned = (db.jobs.c.state == "running") & (db.jobs.c.lease_until < db.now())
    return ((db.jobs.c.state == "queued") | abandoned) & (db.jobs.c.attempts < MAX_ATTEMPTS)


def waiting(engine: sa.Engine, lane: str) -> bool:
    """Whether more jobs of a lane wait."""
    return db.one(engine, sa.select(db.jobs.c.job_id).where(_free(), db.jobs.c.lane == lane).limit(1)) is not None


def renew(engine: sa.Engine, job: Job) -> None:
    """Say that the work goes on. Raises `LeaseLost` where somebody else has taken over."""
    with db.writing(engine) as connection:
        _update_held(connection, job, lease_until=db.now() + LEASE_SECONDS)


def keep(engine: sa.Engine, held: Sequence[Job]) -> list[Job]:
    """Renew the leases of all those jobs that are still held, and return them."""
    with db.writing(engine) as connection:
        return _update_all(connection, held, lease_until=db.now() + LEASE_SECONDS)


def _update_all(connection: sa.Connection, held: Sequence[Job], **values: Any) -> list[Job]:
    """Those of the jobs that are still held, after the change."""
    change = sa.update(db.jobs).values(**values).returning(db.jobs.c.job_id)
    changed: set[int] = set()
    for start in range(0, len(held), UPDATED_TOGETHER):
        some = held[start : start + UPDATED_TOGETHER]
        changed.update(connection.execute(change.where(_held(some))).scalars())
    return [job for job in held if job.job_id in changed]


def _held(jobs: Sequence[Job]) -> sa.ColumnElement[bool]:
    ours = sa.tuple_(db.jobs.c.job_id, db.jobs.c.fence).in_([(job.job_id, job.fence) for job in jobs])
    return ours & (db.jobs.c.state == "running")


def report(engine: sa.Engine, job: Job, progress: dict[str, Any]) -> None:
    """Show how far the work has come."""
    with db.writing(engine) as connection:
        _update_held(connection, job, progress=progress)


def stage(engine: sa.Engine, held: Sequence[Job], name: str) -> None:
    """Show what is being done with those jobs that are still held."""
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.jobs).where(_held(held)).values(progress={"stage": name}))


def finish(connection: sa.Connection, job: Job, state: str = "done", error: str | None = None) -> None:
    """End a job inside the transaction that publishes its result, so that both happen or neither."""
    _update_held(connection, job, state=state, error=error, finished_at=db.now())


def finish_all(connection: sa.Connection, held: Sequence[Job]) -> list[Job]:
    """End all those jobs that are still held, inside the transaction that publishes their results; return them."""
    return _update_all(connection, held, state="done", error=None, finished_at=db.now())


def stop(engine: sa.Engine, job_id: int, reason: str) -> bool:
    """End work that waits or is under way, because a person wants it; its worker notices at its next report. Whether it
    had not ended already."""
    going = (db.jobs.c.job_id == job_id) & db.jobs.c.state.in_(UNDER_WAY)
    with db.writing(engine) as connection:
        stopped = sa.update(db.jobs).where(going).values(state="stopped", error=reason, finished_at=db.now())
        return bool(connection.execute(stopped).rowcount)


def put_back(engine: sa.Engine, job: Job, error: str | None = None, lane: str | None = None) -> None:
    """Let a job wait again, in another lane if one is named. No attempt is counted: it is not the job's fault."""
    with db.writing(engine) as connection:
        waiting = {"state": "queued", "error": error, "lane": lane or job.lane, "lease_until": 0.0, "rung_at": db.now()}
        _update_held(connection, job, attempts=db.jobs.c.attempts - 1, **waiting)


def try_again(engine: sa.Engine, job: Job, error: str, lane: str) -> None:
    """Let a job that failed in a way that may pass wait for its next attempt; after the last one it is quarantined."""
    with db.writing(engine) as connection:
        if job.attempts < MAX_ATTEMPTS:
            _update_held(connection, job, state="queued", error=error, lane=lane, lease_until=0.0, rung_at=db.now())
        else:
            finish(connection, job, "quarantined", f"{error} It was tried {MAX_ATTEMPTS} times.")


def _update_held(connection: sa.Connection, job: Job, **values: Any) -> None:
    held = connection.execute(
        sa.update(db.jobs)
        .where(db.jobs.c.job_id == job.job_id, db.jobs.c.fence == job.fence, db.jobs.c.state == "running")
        .values(**values)
    )
    if not held.rowcount:
        raise LeaseLost(f"Job {job.job_id} ({job.kind} {job.subject}) was taken over or stopped, so this run ends.")


def overdue(engine: sa.Engine) -> list[str]:
    """The lanes that hold jobs whose message was lost or whose worker died. Every caller gets a lane once."""
    silent = (db.jobs.c.state == "queued") & (db.jobs.c.rung_at < db.now() - RING_AGAIN_SECONDS)
    abandoned = (db.jobs.c.state == "running") & (db.jobs.c.lease_until < db.now())
    late = (silent | abandoned) & (db.jobs.c.attempts < MAX_ATTEMPTS)
    with db.writing(engine) as connection:
        lanes = list(connection.execute(sa.select(db.jobs.c.lane).where(late).distinct()).scalars())
        connection.execute(sa.update(db.jobs).where(late).values(state="queued", rung_at=db.now()))
    return lanes


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


def forget_shown(connection: sa.Connection, kind: str, name: str) -> None:
    """Erase one thing that work of a kind has shown of its progress."""
    shown = connection.execute(sa.select(db.jobs.c.job_id, db.jobs.c.progress).where(db.jobs.c.kind == kind)).all()
    for job_id, progress in shown:
        if progress.pop(name, None) is not None:
            connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id == job_id).values(progress=progress))


def count_by_state(engine: sa.Engine) -> dict[str, int]:
    """How many jobs are in each state."""
    query = sa.select(db.jobs.c.state, sa.func.count()).group_by(db.jobs.c.state)
    return {row[0]: row[1] for row in db.rows(engine, query)}
