"""Asking for a training run. Whether there is enough to learn from is decided here; the training itself is the
workers' business."""

import sqlalchemy as sa

from bot import bell, db, feedback, jobs
from bot.settings import Settings


def is_due(settings: Settings, engine: sa.Engine) -> bool:
    """Whether enough approved rows wait that no adapter has learned from yet."""
    return feedback.count_new(engine) >= settings.train_min_rows


def request(settings: Settings, engine: sa.Engine) -> int:
    """Queue a training run, unless one waits or runs already, and return its job's id."""
    latest = jobs.latest(engine, "train")
    if latest and latest.state in ("queued", "running"):
        return latest.job_id
    with db.writing(engine) as connection:
        job_id = jobs.enqueue(connection, "train", f"after-{latest.job_id if latest else 0}")
    bell.ring(settings, "train", job_id)
    return job_id
