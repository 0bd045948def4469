"""How a worker does jobs: claim them, keep their leases, do them, and turn a failure into a sentence on the row."""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from bot import bell, db, jobs
from bot.desk import Desk, open_desk
from bot.errors import FrontdeskError, LeaseLost, ModelUnavailable, SearchUnavailable
from bot.log import get_log
from bot.records import Job

NICE = 10

# What it claims in addition, a function adds to the list, and ends it too.
Work = Callable[[Desk, list[Job]], None]

log = get_log(__name__)


@functools.cache
def desk(*, background: bool = False) -> Desk:
    """The worker process's desk, wired at its first job. In the background it leaves the processor to others."""
    if background:
        os.nice(NICE)
    return open_desk(background=background)


def work(lane: str, functions: Mapping[str, Work], at: Desk | None = None) -> int:
    """Do the next jobs of a lane by the function of their kind, which ends each in the transaction that publishes its
    result. Returns how many there were; where there may be more, the bell is rung again, for this worker or another."""
    place = at or desk(background=lane == jobs.BULK)
    held = jobs.claim(place.database, lane, jobs.TOGETHER[lane])
    if not held:
        return 0  # they are done already, or another worker has them: the bell rang twice
    if jobs.waiting(place.database, lane):
        bell.ring(place.settings, [lane])
    at_first = len(held)
    try:
        with _heartbeat(place, held):
            functions[held[0].kind](place, held)
    except LeaseLost as error:
        log.warning("the job was taken over or stopped", reason=str(error))
    except Exception as error:  # noqa: BLE001 - the edge of the worker: no failure may leave a job without an end
        for job in jobs.keep(place.database, held):
            _end(place, job, error)
    if len(held) > at_first and jobs.waiting(place.database, lane):
        bell.ring(place.settings, [lane])  # what came while it claimed was rung for in vain
    return len(held)


def _end(place: Desk, job: Job, error: Exception) -> None:
    """Put the job back where something that it needs is down; else it has failed, and its row says why."""
    try:
        if isinstance(error, SearchUnavailable | ModelUnavailable):
            log.warning("the job waits", job=job.job_id, reason=str(error))
            jobs.put_back(place.database, job, str(error))
            return
        if not isinstance(error, FrontdeskError):
            log.error("the job failed", job=job.job_id, kind=job.kind, exc_info=error)
        with db.writing(place.database) as connection:
            jobs.finish(connection, job, "failed", _sentence(error))
    except LeaseLost:
        log.info("the job had ended", job=job.job_id)


def _sentence(error: Exception) -> str:
    if isinstance(error, FrontdeskError):
        return str(error)
    return f"It failed unexpectedly ({type(error).__name__}); the worker's log has the details."


@contextmanager
def _heartbeat(place: Desk, held: Sequence[Job]) -> Iterator[None]:
    """Renew the leases in the background while the work goes on, also of jobs that are added meanwhile."""
    stop = threading.Event()

    def beat() -> None:
        known, going_on = 0, list[Job]()
        while not stop.wait(jobs.HEARTBEAT_SECONDS):
            added = held[known:]
            known += len(added)
            going_on = jobs.keep(place.database, [*going_on, *added])

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
