"""Watches the drop folder and tells the ledger what it sees; `python -m ingest.watch` is a process of its own.

It never reads a document, only hashes it, so that nothing that a file contains can harm it.
"""

import math
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa
import watchfiles

from bot import bell, documents, inbox, ledger, notices
from bot.desk import Desk, open_desk
from bot.errors import SearchUnavailable
from bot.log import get_log, set_up_logging
from bot.records import Sighting
from ingest import brake, folder, meta, renewal

RESCAN_SECONDS = 60
LOOK_MILLISECONDS = 500
TOLD_TOGETHER = 200  # so many files are told to the ledger in one transaction

log = get_log(__name__)


class Watcher:
    """The folder as it was last seen, so that what has not changed since need not be read again."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.inbox = desk.settings.inbox_dir
        self.brake = brake.Brake(desk)
        self.unfinished: set[Path] = set()
        self._seen: dict[Path, tuple[int, ...]] = {}

    def rescan(self) -> None:
        """Bring ledger and folder together, whatever events were missed. A folder that is missing as a whole removes
        nothing: it may be unmounted."""
        if not self.inbox.is_dir():
            log.error("the inbox is missing; nothing is removed", inbox=str(self.inbox))
            text = f"The folder {self.inbox} is missing. Its documents still answer; bring the folder back."
            notices.put(self.desk.database, notices.INBOX_MISSING, text)
            return
        notices.clear(self.desk.database, notices.INBOX_MISSING)
        gone = set(documents.paths(self.desk.database)) - {self._path(file) for file in folder.documents_in(self.inbox)}
        self._tell(folder.documents_in(self.inbox), gone)
        self.brake.release_if_back(gone)

    def look(self, places: Iterable[Path]) -> None:
        """Tell the ledger how these places stand now: files, folders, or what was there and is gone."""
        files: set[Path] = set()
        gone: set[str] = set()
        for place in places:
            if place.name.endswith(inbox.META):
                files |= {file for file in meta.described(place) if folder.is_document(file)}
                continue
            inside = () if place.is_symlink() else folder.documents_in(place)
            there = {place} if folder.is_document(place) else set(inside)
            known = documents.paths(self.desk.database, self._path(place))
            files |= there
            gone |= set(known) - {self._path(file) for file in there}
        if brake.many(gone):
            time.sleep(brake.PAUSE_SECONDS)  # there may be more to come: judge them together
            self.rescan()
        else:
            self._tell(sorted(files), gone)

    def _tell(self, files: Iterable[Path], gone: set[str]) -> None:
        """Moves first, so that a renamed folder costs nothing; then what is there, then what is not."""
        digests = documents.paths(self.desk.database) if gone else {}
        homeless = {digests[path]: path for path in gone if path in digests}
        left = set(gone)
        waiting: list[Sighting] = []
        for sighting in self._sightings(files):
            old = homeless.get(sighting.digest)
            if old in left and ledger.move(self.desk.database, old, sighting.path):
                left.discard(old)
            waiting.append(sighting)
            if len(waiting) == TOLD_TOGETHER:
                self._observe(waiting)
                waiting = []
        self._observe(waiting)
        for path in left:
            self._seen.pop(self.inbox / path, None)  # should it come back as it was, it is new
        lanes = ledger.tombstone(self.desk.database, sorted(self.brake.allowed(left)))
        bell.ring(self.desk.settings, lanes)

    def _observe(self, sightings: list[Sighting]) -> None:
        if sightings:
            bell.ring(self.desk.settings, ledger.observe(self.desk.database, sightings))

    def _sightings(self, files: Iterable[Path]) -> Iterator[Sighting]:
        """What is new or has changed. What is still being written is looked at again soon."""
        most = self.desk.settings.max_file_megabytes * 1_000_000
        for file in files:
            stamp = _stamp(file)
            if stamp is None or stamp == self._seen.get(file):
                continue
            found = folder.settle(file)
            if found is None:
                self.unfinished.add(file)
                continue
            try:
                content = folder.digest(file, most)
            except OSError as error:
                log.warning("a file cannot be opened", path=str(file), reason=str(error))
                content = f"closed-{found.st_ctime_ns}"  # the ledger is to show it, and why
            self._seen[file] = stamp
            yield Sighting(self._path(file), content, found.st_size, folder.changed_at(found), meta.describe(file))

    def _path(self, place: Path) -> str:
        return place.relative_to(self.inbox).as_posix()


def _stamp(file: Path) -> tuple[int, ...] | None:
    """What changes when a file, or what is said about it, changes; None where it is gone."""
    try:
        own = file.stat()
    except OSError:
        return None
    about = [_changed(file.with_name(inbox.META)), _changed(file.with_name(file.name + inbox.META))]
    return (own.st_ino, own.st_size, own.st_mtime_ns, own.st_ctime_ns, *about)


def _changed(place: Path) -> int:
    try:
        return place.stat().st_ctime_ns
    except OSError:
        return 0


def rescan(desk: Desk) -> None:
    """Bring ledger and folder together once, reading every file."""
    Watcher(desk).rescan()


def watch(desk: Desk) -> None:
    """Follow the inbox as long as it is the same folder. Whatever an event missed, the next rescan finds; the first one
    comes once the events flow, so that nothing falls between them."""
    watcher = Watcher(desk)
    if not documents.any_ever(desk.database):
        watcher.inbox.mkdir(parents=True, exist_ok=True)
    elif not watcher.inbox.is_dir():
        watcher.rescan()
        return
    inode = watcher.inbox.stat().st_ino
    scanned = -math.inf
    for batch in watchfiles.watch(
        watcher.inbox, watch_filter=None, debounce=200, step=50, rust_timeout=LOOK_MILLISECONDS, yield_on_timeout=True
    ):
        places = {Path(name) for _, name in batch} | watcher.unfinished
        watcher.unfinished = set()
        if watcher.inbox in places or time.monotonic() - scanned > RESCAN_SECONDS:
            watcher.rescan()
            _renew(desk)
            scanned = time.monotonic()
        else:
            watcher.look(_worth_a_look(watcher.inbox, places))
        if not watcher.inbox.is_dir() or watcher.inbox.stat().st_ino != inode:
            return  # no event will come of a folder that was replaced


def _worth_a_look(inbox: Path, places: Iterable[Path]) -> list[Path]:
    """Where changes really are: events come through links too, but nothing comes in by one. Without what editors and
    half-made copies leave, and what lies in hidden folders."""
    root = Path(os.path.realpath(inbox))
    real = {Path(os.path.realpath(place.parent), place.name) for place in places}
    below = [place.relative_to(root) for place in real if place.is_relative_to(root)]
    return sorted(inbox / place for place in below if not any(map(_is_hidden, place.parts)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and not name.endswith(inbox.META)


def _renew(desk: Desk) -> None:
    try:
        renewal.begin_if_needed(desk)
    except SearchUnavailable as error:
        log.warning("an old index waits to be dropped", reason=str(error))


def main() -> None:
    """The watcher process."""
    set_up_logging()
    desk = open_desk()
    while True:
        try:
            watch(desk)
            time.sleep(1)
        except (OSError, RuntimeError, sa.exc.OperationalError) as error:
            log.error("watching stopped; starting again", reason=str(error))
            time.sleep(1)


if __name__ == "__main__":
    main()
