"""Threads by urgency: what people wait for goes before bulk work, by the scheduler's priority and not by ours."""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

MOST_THREADS = 16  # a small model gains nothing from more
BACKGROUND_PRIORITY = 10  # a tenth of a busy processor: it gives way, but what waits for it does not time out

Task = TypeVar("Task")
Result = TypeVar("Result")


class Lane:
    """Threads of one priority; tasks begin in the order in which they came."""

    def __init__(self, name: str, threads: int, background: bool) -> None:
        self._pool = ThreadPoolExecutor(threads, name, initializer=_step_back if background else None)

    def submit(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Future[Result]]:
        """Have every task done on the lane's threads; the futures are in the order of the tasks."""
        return [self._pool.submit(work, task) for task in tasks]


def cores() -> int:
    """How many threads compute well at once here."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


def _step_back() -> None:
    # on Linux a priority belongs to a thread, elsewhere to the whole process; threads made by this one inherit it
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_PRIORITY)
