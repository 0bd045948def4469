"""What the schedule does: nothing that two schedules at once could do twice."""

from bot import bell, jobs, training
from bot.desk import Desk
from bot.errors import ModelUnavailable, SearchUnavailable
from bot.log import get_log
from ingest import erasure, renewal

log = get_log(__name__)


def sweep(desk: Desk) -> None:
    """Ring again for forgotten jobs, give up on deadly ones, erase what no version claims, finish a new index."""
    for job in jobs.exhausted(desk.database):
        log.error("quarantined", job=job.job_id, kind=job.kind, subject=job.subject)
    bell.ring(desk.settings, jobs.overdue(desk.database))
    try:
        renewal.switch_if_whole(desk)
        renewal.drop_retired(desk)
        erasure.erase_stale(desk)
    except (SearchUnavailable, ModelUnavailable) as error:
        log.warning("stale versions wait", reason=str(error))


def train_if_due(desk: Desk) -> None:
    """Queue a training run when enough new approved rows wait."""
    if training.is_due(desk.settings, desk.database):
        training.request(desk.settings, desk.database)
