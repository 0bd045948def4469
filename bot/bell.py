"""Rings for a lane: tells the Celery queue of the lane that jobs wait. A bell that cannot ring loses nothing, because
the jobs' rows wait and are rung for again."""

from collections.abc import Iterable

from celery import Celery
from kombu.exceptions import OperationalError

from bot import jobs
from bot.log import get_log
from bot.settings import Settings

TASKS = {jobs.FAST: "workers.tasks.ingest", jobs.BULK: "workers.tasks.ingest", jobs.GPU: "workers.tasks.train"}

# Every app of the broker must agree on this, or a long task is delivered twice.
TRANSPORT = {"visibility_timeout": 7200, "socket_connect_timeout": 1, "socket_timeout": 5}

log = get_log(__name__)


def ring(settings: Settings, lanes: Iterable[str]) -> None:
    """Tell the workers of these lanes that jobs wait; a lane's queue has its name. When Redis is down, the sweep rings
    later."""
    app = Celery(broker=settings.redis_url.get_secret_value(), set_as_current=False)
    # whoever rings may be a page that somebody waits for
    app.conf.update(broker_transport_options=TRANSPORT | {"socket_timeout": 1}, task_ignore_result=True)
    for lane in sorted(lanes):
        try:
            with app.connection_for_write(connect_timeout=1) as connection:
                app.send_task(TASKS[lane], [lane], queue=lane, retry=False, connection=connection)
        except (OperationalError, OSError) as error:
            log.warning("the queue is down; the jobs wait", lane=lane, reason=str(error))
