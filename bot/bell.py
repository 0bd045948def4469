"""Rings for a job: sends its id to the Celery queue of its kind. A bell that cannot ring loses nothing, because
the job's row waits and is rung for again."""

from celery import Celery
from kombu.exceptions import OperationalError

from bot.log import get_log
from bot.settings import Settings

TASKS = {"ingest": "workers.tasks.ingest", "forget": "workers.tasks.forget", "train": "workers.tasks.train"}
QUEUES = {"ingest": "ingest", "forget": "ingest", "train": "gpu"}

# Every app of the broker must agree on this, or a long task is delivered twice.
TRANSPORT = {"visibility_timeout": 7200, "socket_connect_timeout": 1, "socket_timeout": 5}

log = get_log(__name__)


def ring(settings: Settings, kind: str, job_id: int) -> None:
    """Tell the workers that job `job_id` waits. When Redis is down, the sweep rings later."""
    app = Celery(broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(broker_transport_options=TRANSPORT, task_ignore_result=True)
    try:
        with app.connection_for_write(connect_timeout=1) as connection:
            app.send_task(TASKS[kind], [job_id], queue=QUEUES[kind], retry=False, connection=connection)
    except (OperationalError, OSError) as error:
        log.warning("the queue is down; the job waits", job=job_id, kind=kind, reason=str(error))
