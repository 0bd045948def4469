"""Who is next: people before background work, each in the order of arrival, and nobody waits for ever."""

import threading
from collections import deque

from bot.errors import ModelBusy
from bot.serving.rows import Row

PEOPLE_BEFORE_BACKGROUND = 4  # a background request waits for at most so many people who came after it


class Queues:
    """Two lines with `places` each; `lock` guards them and is told when somebody comes."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._people: deque[Row] = deque()
        self._background: deque[Row] = deque()
        self._overtaken = 0
        self.lock = threading.Condition()

    def __len__(self) -> int:
        with self.lock:
            return len(self._wanted(self._people)) + len(self._wanted(self._background))

    def check_room(self, background: bool, free: int) -> None:
        """Raise `ModelBusy` when every place is taken; `free` are the slots that wait for somebody."""
        with self.lock:
            waiting = self._wanted(self._background if background else self._people)
            if len(waiting) >= self._places + free:
                raise ModelBusy(f"{len(waiting)} requests are waiting already; ask again in a moment.")

    def join(self, row: Row) -> None:
        """Wait at the end of the line."""
        with self.lock:
            (self._background if row.request.background else self._people).append(row)
            self.lock.notify_all()

    def next(self, background_allowed: bool) -> Row | None:
        """The row whose turn it is, out of the line; rows whose adapter is on its way let others go first."""
        with self.lock:
            lines = [self._people, self._background]
            if self._overtaken >= PEOPLE_BEFORE_BACKGROUND:
                lines.reverse()
            for line in lines if background_allowed else [self._people]:
                row = next((row for row in line if row.ready), None)
                if row is not None:
                    line.remove(row)
                    self._overtaken = 0 if line is self._background or not self._background else self._overtaken + 1
                    return row
        return None

    def leavers(self) -> list[Row]:
        """Rows that are cancelled or late, out of the line."""
        with self.lock:
            gone = [row for line in (self._people, self._background) for row in line if _gone(row)]
            for row in gone:
                (self._background if row.request.background else self._people).remove(row)
            return gone

    def _wanted(self, line: deque[Row]) -> list[Row]:
        return [row for row in line if not row.generation.cancelled]


def _gone(row: Row) -> bool:
    return row.generation.cancelled or row.late
