"""What benchmarks measure beside the work itself: the time of a search, the memory of processes, what a host took."""

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, cycle

import psutil

from bot import retrieve
from bot.desk import Desk
from bot.errors import FrontdeskError
from bot.records import Question
from tests.full_stack import Stack
from workers import supervise

ASK_EVERY_SECONDS, WEIGH_EVERY_SECONDS = 0.2, 2
WEIGHED = ("worker", "model")  # one of these is in the name of every worker and model server


@contextmanager
def asking(desk: Desk, asked: Sequence[Question]) -> Iterator[list[float]]:
    """Search about five times a second beside the block; milliseconds each, endless where a search failed. No two
    searches are the same, so that none is answered from a cache."""
    times: list[float] = []
    waiting = zip(cycle(asked), count(), strict=False)

    def ask() -> None:
        begun, failed = time.perf_counter(), True
        with suppress(FrontdeskError):
            question, number = next(waiting)
            retrieve.search(desk, f"{question.text} (case {number})", 5)
            failed = False
        times.append(math.inf if failed else 1000 * (time.perf_counter() - begun))

    with _repeating(ask, ASK_EVERY_SECONDS):
        yield times


@contextmanager
def weighed(stack: Stack) -> Iterator[dict[str, int]]:
    """Peak resident bytes of the workers and model servers, each with its children, during the block."""
    peaks: dict[str, int] = {}

    def weigh() -> None:
        for name, state in supervise.states(stack.desk.settings.data_dir).items():
            if state.running and any(word in name for word in WEIGHED):
                peaks[name] = max(peaks.get(name, 0), _resident_bytes(state.pid))

    with _repeating(weigh, WEIGH_EVERY_SECONDS):
        yield peaks


@contextmanager
def shared_host() -> Iterator[None]:
    """Say how much of the cores' time the host gave to other machines during the block (steal, proc_stat(5)): times
    that were taken meanwhile are too long."""
    before = psutil.cpu_times()
    yield
    passed = [after - earlier for after, earlier in zip(psutil.cpu_times(), before, strict=True)]
    taken = dict(zip(before._fields, passed, strict=True)).get("steal", 0.0)  # known on Linux alone
    if taken > 0:
        print(f"meanwhile the host gave {taken / sum(passed):.0%} of the cores' time to other machines")


def spread(values: Sequence[float]) -> str:
    """Median, smallest and largest, in three digits or more."""
    middle, least, most = (
        f"{one:.0f}" if one >= 100 else f"{one:.3g}" for one in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({least} to {most})"


def spread_ms(times: Sequence[float]) -> str:
    """Median, 95th percentile and longest of some times."""
    shown = ", ".join(f"p{of_hundred} {percentile(times, of_hundred):.0f} ms" for of_hundred in (50, 95))
    return f"{shown}, max {max(times):.0f} ms, of {len(times)}"


def percentile(values: Sequence[float], of_hundred: int) -> float:
    """The nearest rank: a value that was seen, so that an endless one does no harm."""
    return sorted(values)[math.ceil(len(values) * of_hundred / 100) - 1]


def tell(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


@contextmanager
def _repeating(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Begin something every so many seconds on a thread while the block runs."""
    stop = threading.Event()

    def run() -> None:
        due = time.perf_counter() + seconds
        while not stop.wait(max(0.0, due - time.perf_counter())):
            due = time.perf_counter() + seconds  # what took longer than that is followed at once, not made up for
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _resident_bytes(pid: int) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):  # it ended while we looked
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    return total
