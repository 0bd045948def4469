"""Asking for a training run. Whether there is enough to learn from is decided here; the training itself is the
workers' business."""

import sqlalchemy as sa

from bot import bell, db, feedback, jobs
from bot.settings import Settings


def is_due(settings: Settings, engine: sa.Engine) -> bool:
    """Whether enough approved rows wait that no adapter has learned from, and that no run has tried yet."""
    enough = feedback.count_new(engine) >= settings.train_min_rows
    return enough and not jobs.known(engine, "train", feedback.digest(engine))


def request(settings: Settings, engine: sa.Engine) -> int:
    """Queue a training run on the rows as they stand, unless one waits or runs already; return the job's id."""
    latest = jobs.latest(engine, "train")
    if latest and latest.state in ("queued", "running"):
        return latest.job_id
    with db.writing(engine) as connection:
        job_id = jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    bell.ring(settings, [jobs.GPU])
    return job_id
