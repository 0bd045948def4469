"""How a worker does a job: claim it, keep the lease alive, do it, and turn a failure into one sentence on its row."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot import db, jobs
from bot.desk import Desk, open_desk
from bot.errors import FrontdeskError, LeaseLost, ModelUnavailable, SearchUnavailable
from bot.log import get_log
from bot.records import Job

log = get_log(__name__)


@functools.cache
def desk() -> Desk:
    """The worker process's desk, wired at its first job."""
    return open_desk()


def work(job_id: int, function: Callable[[Desk, Job], None], at: Desk | None = None) -> None:
    """Do a job if it is there to be done. `function` ends it in the transaction that publishes its result."""
    place = at or desk()
    job = jobs.claim(place.database, job_id)
    if job is None:
        return  # done already, or another worker has it: the bell rang twice
    try:
        with _heartbeat(place, job):
            function(place, job)
    except LeaseLost as error:
        log.warning("the job was taken over", job=job_id, reason=str(error))
    except Exception as error:  # noqa: BLE001 - the edge of the worker: no failure may leave a job without an end
        _end(place, job, error)


def _end(place: Desk, job: Job, error: Exception) -> None:
    """Put the job back where something that it needs is down; else it has failed, and its row says why."""
    try:
        if isinstance(error, SearchUnavailable | ModelUnavailable):
            jobs.wait(place.database, job, str(error))
            return
        if not isinstance(error, FrontdeskError):
            log.error("the job failed", job=job.job_id, kind=job.kind, exc_info=error)
        with db.writing(place.database) as connection:
            jobs.finish(connection, job, "failed", _sentence(error))
    except LeaseLost as lost:
        log.warning("the job was taken over", job=job.job_id, reason=str(lost))


def _sentence(error: Exception) -> str:
    if isinstance(error, FrontdeskError):
        return str(error)
    return f"It failed unexpectedly ({type(error).__name__}); the worker's log has the details."


@contextmanager
def _heartbeat(place: Desk, job: Job) -> Iterator[None]:
    """Renew the lease in the background while the work goes on."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(jobs.HEARTBEAT_SECONDS):
            try:
                jobs.renew(place.database, job)
            except LeaseLost:
                return  # the work itself learns of it when it publishes

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
