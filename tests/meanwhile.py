"""Something that goes on all the while."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def repeatedly(work: Callable[[], object], clients: int = 1, pause: float = 0.0) -> Iterator[None]:
    """Do it again and again, by so many clients at once, `pause` seconds between. Raises what it raised."""
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(pause):
            work()

    with ThreadPoolExecutor(clients) as pool:
        going = [pool.submit(go_on) for _ in range(clients)]
        try:
            yield
        finally:
            done.set()
    for one in going:
        one.result()
