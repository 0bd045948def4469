"""The Celery application: queues, schedule and safe defaults. Celery is a doorbell; the work itself is in rows."""

from celery import Celery
from celery.signals import worker_process_init

from bot import jobs
from bot.bell import TRANSPORT
from bot.leash import die_with_parent
from bot.log import set_up_logging
from bot.settings import load_settings

settings = load_settings()

app = Celery("frontdesk", broker=settings.redis_url.get_secret_value(), include=["workers.tasks"])
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_default_queue=jobs.FAST,
    task_routes={"workers.tasks.train": {"queue": jobs.GPU}},
    broker_transport_options=TRANSPORT,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_soft_shutdown_timeout=5,
    worker_hijack_root_logger=False,
    beat_schedule={
        "sweep": {"task": "workers.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
        "gaps": {"task": "workers.tasks.look_at_gaps", "schedule": 10.0, "options": {"expires": 10}},
        "voices": {"task": "workers.tasks.watch_voices", "schedule": 30.0, "options": {"expires": 30}},
        "train": {
            "task": "workers.tasks.train_if_due",
            "schedule": 60 * settings.train_check_minutes,
            "options": {"expires": 60},
        },
    },
)


@worker_process_init.connect
def start_child(**_: object) -> None:
    """A pool child logs like the rest and does not outlive a parent that was killed."""
    die_with_parent()
    set_up_logging()
