"""One launcher a data folder: a file that is locked as long as the launcher lives, with its process id in it. The
kernel frees the lock however the launcher ends, so what a killed one leaves behind does not matter."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bot.errors import AlreadyRunning

LOCK_FILE = "run/lock"
# somebody who asks who holds the folder holds it too, for a moment
LOOKS, LOOK_SECONDS = 5, 0.05


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the data folder. Raises `AlreadyRunning` where another launcher does."""
    with (data / LOCK_FILE).open("a+") as file:
        if not _locked(file):
            raise AlreadyRunning(
                f"Frontdesk is already running on {data} (process {holder(data)}); `frontdesk down` stops it."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(data: Path) -> int | None:
    """The process id of the launcher that holds the data folder, or None."""
    try:
        with (data / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int((data / LOCK_FILE).read_text() or 0) or None
    return None


def _locked(file: IO[str]) -> bool:
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        else:
            return True
    return False
