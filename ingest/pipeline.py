"""The way in of files and the way out of documents. Each function is a whole unit of work: it takes claimed jobs of one
kind, does them, and ends each in the transaction that makes its result visible.

file -> sandboxed reader -> chunks -> chunk table + lexical index + vectors -> switch -> the old version is erased
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bot import bell, db, indexes, jobs, ledger, tokens
from bot.desk import Desk
from bot.errors import FrontdeskError, LeaseLost, ReaderKilled, ReaderTooSlow, UnreadableDocument
from bot.log import get_log
from bot.records import Chunk, Index, Indexed, Job
from ingest import chunks, erasure, renewal, sandbox
from ingest.readers.reading import Reading

# What turns out to be slow to read or long goes from the fast lane to the other one.
FAST_PATIENCE_SECONDS = 4.0
MOST_CHUNKS_FAST = 100
# So many chunks are embedded and switched to together: enough for full requests, few enough to be seen soon.
CHUNKS_TOGETHER = 64
# And of a document that is longer, so many vectors are in memory at once.
CHUNKS_AT_ONCE = 512
# After these times no more files are claimed, and no further file is begun, so that a worker is done with what it holds
# before its time limit.
CLAIMING_SECONDS, READING_SECONDS = 120.0, 240.0
# So many batches are embedded and stored at once: while one is written, the model server has the next.
PUBLISHED_AT_ONCE = 2

log = get_log(__name__)


@dataclass(frozen=True)
class _Cut:
    """A version that has been read and cut, with the milliseconds that each step took."""

    job: Job
    document_id: int
    index_id: int
    reading: Reading
    title: str
    chunks: list[Chunk]
    timings_ms: dict[str, float]


def ingest(desk: Desk, held: list[Job]) -> None:
    """Make the versions that the jobs name answerable, or record in one sentence each why they cannot be.

    While some are embedded and stored, the next are read: one needs the model server, the other this processor. So that
    neither waits, more jobs are claimed as long as there are any; they are added to those `held`.
    """
    publishing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(PUBLISHED_AT_ONCE, "publish") as publisher:
        for together in _batches(_read_all(desk, held)):
            if len(publishing) == PUBLISHED_AT_ONCE:
                publishing.popleft().result()
            publishing.append(publisher.submit(_publish, desk, together))
        for last in publishing:
            last.result()


def _batches(cuts: Iterable[_Cut]) -> Iterator[list[_Cut]]:
    together: list[_Cut] = []
    size = 0
    for cut in cuts:
        together.append(cut)
        size += len(cut.chunks)
        if size >= CHUNKS_TOGETHER:
            yield together
            together, size = [], 0
    if together:
        yield together


def _read_all(desk: Desk, held: list[Job]) -> Iterator[_Cut]:
    begun = time.monotonic()
    claimed: Sequence[Job] = tuple(held)
    while claimed:
        yield from _read_claimed(desk, claimed, begun + READING_SECONDS)
        if held[0].lane != jobs.BULK or time.monotonic() > begun + CLAIMING_SECONDS:
            return
        claimed = jobs.claim(desk.database, jobs.BULK, jobs.TOGETHER[jobs.BULK], beside=held[0])
        held += claimed


def _read_claimed(desk: Desk, claimed: Sequence[Job], deadline: float) -> Iterator[_Cut]:
    versions = ledger.versions(desk.database, [int(job.subject) for job in claimed])
    count = tokens.counter(desk.settings)
    for job in claimed:
        try:
            if time.monotonic() > deadline:
                jobs.put_back(desk.database, job)
            elif cut := _read(desk, job, versions[int(job.subject)], count):
                yield cut
        except LeaseLost as error:
            log.warning("the job was taken over", job=job.job_id, reason=str(error))
        except FrontdeskError as error:
            _refuse(desk, job, error)


def _read(desk: Desk, job: Job, version: db.Row, count: chunks.Count) -> _Cut | None:
    """Read and cut one version; None where it need not be any more, or is too long for its lane."""
    begun = time.perf_counter()
    if version.removed or not version.open:
        with db.writing(desk.database) as connection:
            jobs.finish(connection, job)  # the tombstone, or a newer index, has overtaken it
        return None
    place = desk.settings.inbox_dir / version.path
    reading = _reading(place, desk.settings.max_file_megabytes, job.lane)
    timings = {"waited": version.waited_ms, "read": _ms(begun)}
    cut = _cut(job, version, reading, timings, count, desk.settings.chunk_tokens)
    if job.lane == jobs.FAST and len(cut.chunks) > MOST_CHUNKS_FAST:
        _change_lane(desk, job)
        return None
    return cut


def _cut(
    job: Job, version: db.Row, reading: Reading, timings: dict[str, float], count: chunks.Count, most_tokens: int
) -> _Cut:
    begun = time.perf_counter()
    title = reading.title.strip() or Path(version.path).stem
    pieces = chunks.cut(reading, title, int(job.subject), count, most_tokens)
    return _Cut(job, version.document_id, version.index_id, reading, title, pieces, timings | {"cut": _ms(begun)})


def _reading(place: Path, max_megabytes: int, lane: str) -> Reading:
    try:
        if place.stat().st_size > max_megabytes * 1_000_000:
            raise UnreadableDocument(f"'{place.name}' is larger than {max_megabytes} MB; split it and drop the parts.")
        patience = FAST_PATIENCE_SECONDS if lane == jobs.FAST else sandbox.WALL_SECONDS
        return sandbox.read(place, patience)
    except FileNotFoundError as error:  # it was moved or taken away just now; if it is still there, it will be found
        raise ReaderKilled(f"'{place.name}' was not there when it was to be read; drop it again.") from error
    except OSError as error:
        raise UnreadableDocument(f"'{place.name}' cannot be opened ({error.strerror}).") from error


def _change_lane(desk: Desk, job: Job) -> None:
    jobs.put_back(desk.database, job, lane=jobs.BULK)
    bell.ring(desk.settings, [jobs.BULK])  # else it waits until the sweep misses it


def _refuse(desk: Desk, job: Job, error: FrontdeskError) -> None:
    """Let a file that is only slow wait in the other lane, try one that killed its reader again, and fail the rest."""
    if isinstance(error, ReaderTooSlow) and job.lane == jobs.FAST:
        _change_lane(desk, job)
    elif isinstance(error, ReaderKilled):
        jobs.try_again(desk.database, job, str(error), jobs.BULK)
    elif isinstance(error, UnreadableDocument):
        with db.writing(desk.database) as connection:
            jobs.finish(connection, job, "failed", str(error))
    else:
        raise error


def _publish(desk: Desk, together: Sequence[_Cut]) -> None:
    """Embed, store, switch, and erase what was switched from. Versions of different indexes are embedded apart."""
    for index in indexes.every(desk.database):
        ours = [one for one in together if one.index_id == index.index_id]
        if ours:
            _publish_in(desk, index, ours)


def _publish_in(desk: Desk, index: Index, together: Sequence[_Cut]) -> None:
    jobs.stage(desk.database, [one.job for one in together], "embedding")
    knowledge = desk.collections.of(index)
    pieces = [chunk for one in together for chunk in one.chunks]
    begun = time.perf_counter()
    ledger.store(desk.database, pieces)  # before the vectors, so that a crash leaves none that no row knows of
    timings = {"embedded": 0.0, "stored": _ms(begun)}
    for start in range(0, len(pieces), CHUNKS_AT_ONCE):
        at_once = pieces[start : start + CHUNKS_AT_ONCE]
        begun = time.perf_counter()
        vectors = knowledge.embed(at_once)
        embedded = time.perf_counter()
        knowledge.upsert(at_once, vectors)
        timings = {"embedded": timings["embedded"] + _ms(begun, embedded), "stored": timings["stored"] + _ms(embedded)}
    for job in ledger.activate(desk.database, [_indexed(one, timings) for one in together]):
        log.warning("the job was taken over", job=job.job_id)
    if index.state == "building":
        renewal.switch_if_whole(desk)
    erasure.erase_stale(desk, [one.document_id for one in together])


def _indexed(cut: _Cut, timings: dict[str, float]) -> Indexed:
    reading = cut.reading
    return Indexed(cut.job, cut.title, reading.pages, len(cut.chunks), reading.notes, cut.timings_ms | timings)


def ingest_readings(desk: Desk, readings: Mapping[str, Reading]) -> None:
    """Make documents answerable that were read already, by the paths under which the ledger waits for them."""
    held = [job for lane in (jobs.FAST, jobs.BULK) for job in jobs.claim(desk.database, lane, len(readings))]
    versions = ledger.versions(desk.database, [int(job.subject) for job in held])
    known = [(job, versions[int(job.subject)]) for job in held]
    count, most_tokens = tokens.counter(desk.settings), desk.settings.chunk_tokens
    _publish(desk, [_cut(job, version, readings[version.path], {}, count, most_tokens) for job, version in known])


def forget(desk: Desk, held: Sequence[Job]) -> None:
    """Delete what removed documents left behind. They have been unanswerable since their tombstones."""
    erasure.erase_stale(desk, [int(job.subject) for job in held])
    with db.writing(desk.database) as connection:
        for job in held:
            jobs.finish(connection, job)


def _ms(begun: float, ended: float | None = None) -> float:
    return round(1000 * ((ended or time.perf_counter()) - begun), 1)
