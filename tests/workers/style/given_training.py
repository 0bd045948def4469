"""A training that a worker has begun."""

from bot import db, jobs
from bot.desk import Desk
from bot.records import Job


def started(desk: Desk) -> Job:
    """The job, claimed."""
    with db.writing(desk.database) as connection:
        jobs.enqueue(connection, "train", "a test", jobs.GPU)
    (job,) = jobs.claim(desk.database, jobs.GPU)
    assert job is not None
    return job
