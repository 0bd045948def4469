"""Computing beside the engine without slowing it.

OpenMP keeps helpers for every thread that ever computed. As soon as they are more than the cores, all of them are put
to sleep between two products, which costs the engine some 75 microseconds at each of its 120 products a token. So
whoever else computes does it in a thread that ends, and its helpers with it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def apart(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
