"""A fair waiting line: first come, first served, one at a time, and no more than a few waiting."""

import threading
import time
from collections import deque
from collections.abc import Callable

from bot.errors import ModelBusy

CHECK_SECONDS = 0.1


class Ticket:
    """A place in the line."""


class Line:
    """Threads wait here for their turn. `places` are those behind the one being served."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._tickets: deque[Ticket] = deque()
        self._moved = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many wait behind the one being served."""
        return max(0, len(self._tickets) - 1)

    def join(self, bounded: bool = True) -> Ticket:
        """Take a ticket; raises `ModelBusy` when every place is taken, unless the caller is not bound by them."""
        with self._moved:
            if bounded and len(self._tickets) > self._places:
                raise ModelBusy(f"{self._places} requests are waiting already; ask again in a moment.")
            ticket = Ticket()
            self._tickets.append(ticket)
            return ticket

    def wait(self, ticket: Ticket, gone: Callable[[], bool], deadline: float = float("inf")) -> bool:
        """Wait until it is this ticket's turn; False if its holder is gone or the deadline (`time.monotonic`) over."""
        with self._moved:
            while self._tickets[0] is not ticket:
                if gone() or time.monotonic() > deadline:
                    return False
                self._moved.wait(CHECK_SECONDS)
        return True

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, served or not; giving it back twice is fine."""
        with self._moved:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
                self._moved.notify_all()
