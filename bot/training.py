"""Asking for a training run, and stopping it. Whether there is enough to learn from is decided here; the training
itself is the workers' business."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from safetensors import SafetensorError, safe_open

from bot import adapters, bell, db, feedback, jobs, preferences
from bot.errors import NotAllowed
from bot.records import Job
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
    if under_way(engine):
        return Outlook(False, new, needed, days, late_at, "A run is on; the next one is considered when it has ended.")
    latest = jobs.latest(engine, "train")
    if ready and latest and (_had_these_rows(engine, latest) or jobs.known(engine, "train", feedback.digest(engine))):
        tried = "was stopped" if latest.state == "stopped" else "has tried these rows already"
        reason = f"The last run {tried}; the next one starts by itself when another row is approved."
        return Outlook(False, new, needed, days, late_at, reason)
    reason = _starts(settings, stale) if ready else _waits(new, needed, late_at, days)
    return Outlook(ready, new, needed, days, late_at, reason)


def request(settings: Settings, engine: sa.Engine) -> int:
    """Queue a training run on the rows as they stand, unless one waits or runs already; return the job's id."""
    waits = under_way(engine)
    if waits:
        return waits.job_id
    with db.writing(engine) as connection:
        job_id = jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    bell.ring(settings, [jobs.GPU])
    return job_id


def under_way(engine: sa.Engine) -> Job | None:
    """The run that waits or is on, or None."""
    latest = jobs.latest(engine, "train")
    return latest if latest and latest.state in jobs.UNDER_WAY else None


def stop(engine: sa.Engine, author: str) -> Job:
    """Stop the run that waits or is on, and return it as it stands then. It makes no version. Raises `NotAllowed` where
    there is none."""
    job = under_way(engine)
    if job is None or not jobs.stop(engine, job.job_id, f"Stopped by {author} {_how_far(job)}."):
        raise NotAllowed("No training is on, so there is nothing to stop.")
    return jobs.find(engine, job.job_id) or job


def checkpoint(settings: Settings) -> Path:
    """The file in which the trainer keeps how far a run has come, until the run ends."""
    return settings.adapters_dir / ".course.safetensors"


def goes_on_from(settings: Settings, engine: sa.Engine) -> int | None:
    """The step from which training goes on where the last run was stopped; None where it begins anew."""
    latest = jobs.latest(engine, "train")
    if latest is None or latest.state != "stopped" or not _had_these_rows(engine, latest):
        return None
    try:
        with safe_open(checkpoint(settings), framework="numpy") as file:
            return int(file.metadata()["step"])
    except (OSError, SafetensorError):  # nothing was kept, or it cannot be read
        return None


def drop_outdated(settings: Settings, engine: sa.Engine) -> None:
    """Erase what a run that was cut off has left once no run can go on from it, because one has ended since or the rows
    are others: it has learned from some that may be gone."""
    latest = jobs.latest(engine, "train")
    left = checkpoint(settings).exists() or (latest and "samples" in latest.progress)
    if not left or under_way(engine):
        return
    if latest and latest.state != "done" and _had_these_rows(engine, latest):
        return
    checkpoint(settings).unlink(missing_ok=True)
    with db.writing(engine) as connection:
        jobs.forget_shown(connection, "train", "samples")


def _had_these_rows(engine: sa.Engine, job: Job) -> bool:
    """Whether a run had the rows as they stand; it may itself have handed back some that it was queued for."""
    return feedback.digest(engine) in (job.subject, job.progress.get("rows"))


def _how_far(job: Job) -> str:
    stage, step, steps = (job.progress.get(name) for name in ("stage", "step", "steps"))
    if job.state == "queued":
        return "before it began"
    return f"at step {step} of {steps}" if stage == "training" else f"while it was {stage or 'starting'}"


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


def _last_run(engine: sa.Engine) -> tuple[float | None, float]:
    """When the last run ended, None where there was none, and what the time is now."""
    ended = sa.select(sa.func.max(db.jobs.c.finished_at)).where(db.jobs.c.kind == "train")
    with db.reading(engine) as connection:
        return connection.scalar(ended), connection.execute(sa.select(db.now())).scalar_one()
