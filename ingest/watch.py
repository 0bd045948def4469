"""Watches the drop folder and tells the ledger what it sees; `python -m ingest.watch` is a process of its own.

It notes files and rings for them. It never reads a document, so that nothing that a file contains can harm it.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
import watchfiles

from bot import bell, documents
from bot.desk import Desk, open_desk
from bot.log import get_log, set_up_logging
from ingest import pipeline

SETTLED_SECONDS = 0.3
RESCAN_SECONDS = 60
LOOK_MILLISECONDS = 500
UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", ".swx", "~")

log = get_log(__name__)


def watch(desk: Desk) -> None:
    """Follow the inbox for ever. Whatever an event missed, the next rescan finds; the first one comes once the events
    flow, so that nothing falls between them."""
    inbox = desk.settings.inbox_dir
    inbox.mkdir(parents=True, exist_ok=True)
    scanned = -math.inf
    for batch in watchfiles.watch(inbox, debounce=200, step=50, rust_timeout=LOOK_MILLISECONDS, yield_on_timeout=True):
        places = {Path(name) for _, name in batch}
        if any(place.is_dir() or not place.suffix for place in places) or time.monotonic() - scanned > RESCAN_SECONDS:
            rescan(desk)  # a folder came, went or was renamed, or it is time
            scanned = time.monotonic()
        else:
            for place in sorted(places):
                look(desk, place)


def rescan(desk: Desk) -> None:
    """Bring ledger and folder together. A folder that is missing as a whole removes nothing: it may be unmounted."""
    inbox = desk.settings.inbox_dir
    if not inbox.is_dir():
        log.error("the inbox is missing; nothing is removed", inbox=str(inbox))
        return
    there = set(documents_in(inbox))
    for place in sorted(there):
        look(desk, place)
    for document in documents.listing(desk.database):
        if inbox / document.path not in there:
            look(desk, inbox / document.path)


def look(desk: Desk, place: Path) -> None:
    """Tell the ledger how one path stands now: there with this content, or gone."""
    path = place.relative_to(desk.settings.inbox_dir).as_posix()
    if place.is_file() and not place.is_symlink():
        if is_document(place) and (seen := _settled(place)):
            job_id = _observe(desk, place, path, *seen)
            if job_id is not None:
                bell.ring(desk.settings, "ingest", job_id)
        return
    job_id = documents.tombstone(desk.database, path)
    if job_id is not None:
        bell.ring(desk.settings, "forget", job_id)


def is_document(place: Path) -> bool:
    """Whether a name is a document's, not an editor's or a copy's in the making."""
    return not place.name.startswith((".", "~$")) and not place.name.endswith(UNFINISHED)


def _observe(desk: Desk, place: Path, path: str, size: int, changed: float) -> int | None:
    too_large = size > desk.settings.max_file_megabytes * 1_000_000
    content = f"unread-{size}" if too_large else pipeline.digest(place)
    return documents.observe(desk.database, path, content, size, changed)


def _settled(place: Path) -> tuple[int, float] | None:
    """(size, time of the last change) once a file has stopped growing; None while it grows, the next event will come.

    The time is the inode's: a file that was renamed into the folder has changed when it came, not when it was written.
    """
    try:
        before = place.stat()
        age = time.time() - before.st_mtime
        if 0 <= age < SETTLED_SECONDS:
            time.sleep(SETTLED_SECONDS - age)
        after = place.stat()
    except OSError:
        return None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return after.st_size, after.st_ctime


def documents_in(folder: Path) -> Iterator[Path]:
    """Every file of a folder that is a document; links are not followed."""
    for place in folder.rglob("*"):
        if place.is_file() and not place.is_symlink() and is_document(place):
            yield place


def main() -> None:
    """The watcher process."""
    set_up_logging()
    desk = open_desk()
    while True:
        try:
            watch(desk)
        except (OSError, RuntimeError, sa.exc.OperationalError) as error:
            log.error("watching stopped; starting again", reason=str(error))
            time.sleep(1)


if __name__ == "__main__":
    main()
