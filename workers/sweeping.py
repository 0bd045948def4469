"""What the schedule does: nothing that two schedules at once could do twice."""

from collections.abc import Sequence

from bot import bell, db, jobs, pins, retries, training, watch
from bot.desk import Desk
from bot.errors import ModelUnavailable, SearchUnavailable, TrainingRefused
from bot.log import get_log
from bot.manners import weights
from bot.records import Job
from ingest import erasure, renewal

log = get_log(__name__)


def sweep(desk: Desk) -> None:
    """Ring again for forgotten jobs, give up on deadly ones, erase what no version claims and no training can use,
    finish a new index."""
    for job in jobs.exhausted(desk.database):
        log.error("quarantined", job=job.job_id, kind=job.kind, subject=job.subject)
    bell.ring(desk.settings, jobs.overdue(desk.database))
    training.drop_outdated(desk.settings, desk.database)
    try:
        if renewal.switch_if_whole(desk):
            relearn_manners(desk)
        renewal.drop_retired(desk)
        erasure.erase_stale(desk)
    except (SearchUnavailable, ModelUnavailable) as error:
        log.warning("stale versions wait", reason=str(error))


def relearn_manners(desk: Desk) -> None:
    """Learn again how questions are meant where the embedding model that answers now is one nobody learned with."""
    if weights.in_use(desk.database, desk.embedding_model) is not None:
        return
    from bot.manners.learn import relearn  # scikit-learn is slow to load, and this is rare

    try:
        relearn(desk, author="schedule")
    except TrainingRefused as error:
        log.warning("how questions are meant was not learned", reason=str(error))


def train_if_due(desk: Desk) -> None:
    """Queue a training run when enough new approved rows wait, or some have waited long."""
    if training.is_due(desk.settings, desk.database):
        training.request(desk.settings, desk.database)


def watch_voices(desk: Desk) -> None:
    """Roll back a version that does worse with customers, let a canary that held speak to all."""
    for done in watch.look(desk.database):
        log.info("a version was released or rolled back", what=done)


def look_at_gaps(desk: Desk) -> None:
    """Void the pinned answers whose documents have changed, and queue a run for the questions that a new document may
    answer."""
    for pin in pins.void_changed(desk.database):
        log.info("a pinned answer is void", pin=pin.pin_id)
    bell.ring(desk.settings, retries.request(desk.database, desk.embedding_model))


def answer_gaps(desk: Desk, held: Sequence[Job]) -> None:
    """Ask again what had no answer, and end the job."""
    for gap in retries.run(desk):
        log.info("a gap is closed", gap=gap.gap_id)
    with db.writing(desk.database) as connection:
        jobs.finish(connection, held[0])
