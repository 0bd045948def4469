"""The brake on mass deletions: when much of the folder vanishes at once, a disk may have been unmounted or a script may
have gone wrong. Then nothing is removed; the documents go on answering, and the Documents page asks a person."""

import time
from collections.abc import Collection

from bot import documents, notices
from bot.desk import Desk
from bot.log import get_log

MOST_SHARE = 0.2
FEW = 3  # so many may always go: a person tidies up
WINDOW_SECONDS = 600
PAUSE_SECONDS = 1.0

log = get_log(__name__)


def many(gone: Collection[str]) -> bool:
    """Whether so much is gone at once that the brake has to judge it."""
    return len(gone) >= FEW


class Brake:
    """Judges what is gone together with what went in the last minutes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._went: list[tuple[float, int]] = []

    def allowed(self, gone: Collection[str]) -> Collection[str]:
        """What may be removed: all of it, or nothing, and then a notice asks a person."""
        if not gone:
            return gone
        database = self._desk.database
        now = time.monotonic()
        self._went = [(when, number) for when, number in self._went if now - when < WINDOW_SECONDS]
        recent = sum(number for _, number in self._went)
        whole = sum(documents.count_by_state(database).values()) + recent
        if many(gone) and len(gone) + recent > MOST_SHARE * whole:
            log.error("a mass deletion is halted", missing=len(gone), of=whole)
            notices.put(database, notices.MASS_DELETION, _question(gone, whole))
            return ()
        self._went.append((now, len(gone)))
        return gone

    def release_if_back(self, gone: Collection[str]) -> None:
        """Take the question away when the files have come back."""
        if not many(gone):
            notices.clear(self._desk.database, notices.MASS_DELETION)


def _question(gone: Collection[str], whole: int) -> str:
    first = sorted(gone)[:3]
    others = f" and {len(gone) - len(first):,} more" if len(gone) > len(first) else ""
    return (
        f"{len(gone):,} of {whole:,} files have vanished from the inbox ({', '.join(first)}{others}). "
        "They still answer. Bring the files back, or confirm that they are to be removed."
    )
