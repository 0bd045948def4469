"""Asking for a training run. Whether there is enough to learn from is decided here; the training itself is the
workers' business."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot import adapters, bell, db, feedback, jobs, preferences
from bot.settings import Settings

TRAIN_DAYS = 14  # where nothing was set


@dataclass(frozen=True)
class Outlook:
    """When the next run is due. `new` approved rows wait, `needed` start a run by themselves; fewer do after `days`
    days, which have passed at `late_at` (seconds since 1970; None where days alone do not suffice). `reason` says it in
    a sentence."""

    due: bool
    new: int
    needed: int
    days: int
    late_at: float | None
    reason: str


def is_due(settings: Settings, engine: sa.Engine) -> bool:
    """Whether a run should start by itself now."""
    return outlook(settings, engine).due


def outlook(settings: Settings, engine: sa.Engine) -> Outlook:
    """When the next run starts by itself, and why not now: with enough approved rows that no adapter has learned from,
    with fewer when the last run was long ago, or when a version that speaks has learned what was erased since."""
    rows = feedback.trainable(engine)
    new, needed = sum(row.trained_in is None for row in rows), settings.train_min_rows
    days = int(preferences.get(engine, preferences.TRAIN_DAYS, TRAIN_DAYS))
    last, now = _last_run(engine)
    whole = len(rows) >= needed  # a run learns from all rows, the old ones too
    late_at = last + days * 86_400 if last is not None and new and whole else None
    stale = any(one.stale for one in (adapters.active(engine), adapters.canary(engine)) if one)
    ready = new >= needed or (late_at is not None and late_at <= now) or (stale and whole)
    if _under_way(engine):
        return Outlook(False, new, needed, days, late_at, "A run is on; the next one is considered when it has ended.")
    if ready and jobs.known(engine, "train", feedback.digest(engine)):
        tried = "The last run has tried these rows already; the next one starts when another row is approved."
        return Outlook(False, new, needed, days, late_at, tried)
    reason = _starts(settings, stale) if ready else _waits(new, needed, late_at, days)
    return Outlook(ready, new, needed, days, late_at, reason)


def request(settings: Settings, engine: sa.Engine) -> int:
    """Queue a training run on the rows as they stand, unless one waits or runs already; return the job's id."""
    latest = jobs.latest(engine, "train")
    if latest and latest.state in ("queued", "running"):
        return latest.job_id
    with db.writing(engine) as connection:
        job_id = jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    bell.ring(settings, [jobs.GPU])
    return job_id


def _starts(settings: Settings, stale: bool) -> str:
    why = " What the version that speaks has learned was erased in part." if stale else ""
    return f"The next run starts within {settings.train_check_minutes:g} minutes.{why}"


def _waits(new: int, needed: int, late_at: float | None, days: int) -> str:
    if not new:
        return "No new row has been approved, so there is nothing new to learn."
    rows = "1 more approved row is" if needed - new == 1 else f"{max(needed - new, 0)} more approved rows are"
    if late_at is None:
        return f"{rows} missing; then the next run starts by itself."
    day = datetime.fromtimestamp(late_at)
    return f"{rows} missing. Without them the next run starts on {day.day} {day:%B}, {days} days after the last one."


def _under_way(engine: sa.Engine) -> bool:
    latest = jobs.latest(engine, "train")
    return latest is not None and latest.state in ("queued", "running")


def _last_run(engine: sa.Engine) -> tuple[float | None, float]:
    """When the last run ended, None where there was none, and what the time is now."""
    ended = sa.select(sa.func.max(db.jobs.c.finished_at)).where(db.jobs.c.kind == "train")
    with db.reading(engine) as connection:
        return connection.scalar(ended), connection.execute(sa.select(db.now())).scalar_one()
