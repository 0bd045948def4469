"""Does a process really answer? Each probe takes at most a second or two and says yes or no.

`python -m workers.probes NAME` asks one process of the table; containers use it as their health check.
"""

import functools
import sys

import httpx
import redis
from celery import Celery
from celery.utils.nodenames import gethostname
from kombu.exceptions import OperationalError

TIMEOUT_SECONDS = 1.0


def redis_answers(url: str) -> bool:
    """PING."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def http_answers(url: str, key: str | None = None) -> bool:
    """Status 200, asked without any proxy that the environment may name."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx.get(url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def worker_answers(broker: str, name: str) -> bool:
    """Celery's own ping to the worker `name` of this machine."""
    node = f"{name}@{gethostname()}"
    try:
        return bool(_celery(broker).control.ping([node], timeout=TIMEOUT_SECONDS, limit=1))
    except (OperationalError, redis.RedisError):
        return False


@functools.cache
def _celery(broker: str) -> Celery:
    app = Celery(broker=broker, set_as_current=False)
    app.conf.broker_transport_options = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": 5}
    return app


def main(name: str) -> int:
    """0 where the process answers, 1 where it does not."""
    from bot.settings import load_settings
    from workers.processes import processes

    process = next(process for process in processes(load_settings()) if process.name == name)
    return 0 if process.answers is None or process.answers() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
