"""One file's way in and one document's way out. Each function is a whole unit of work: it takes a claimed job, does
it, and ends it in the transaction that makes its result visible.

file -> sandboxed reader -> chunks -> chunk table + lexical index + vectors -> switch -> the old version is erased
"""

import hashlib
from pathlib import Path

from bot import documents, jobs, lexical
from bot.db import writing
from bot.desk import Desk
from bot.errors import UnreadableDocument
from bot.records import Job
from ingest import chunks, sandbox
from ingest.readers.reading import Reading


def ingest(desk: Desk, job: Job) -> None:
    """Make the version that the job names answerable, or record in one sentence why it cannot be."""
    version_id = int(job.subject)
    version = documents.version_of(desk.database, version_id)
    place = desk.settings.inbox_dir / version.path
    jobs.report(desk.database, job, {"stage": "reading"})
    reading = _read(place, desk.settings.max_file_megabytes)
    pieces = chunks.cut(reading, version_id)
    jobs.report(desk.database, job, {"stage": "embedding"})
    documents.store(desk.database, version_id, pieces)
    desk.knowledge.upsert(pieces)
    title = reading.title.strip() or Path(version.path).stem
    documents.activate(desk.database, job, version_id, title, reading.pages, pieces)
    erase_stale(desk, version.document_id)


def forget(desk: Desk, job: Job) -> None:
    """Delete what a removed document left behind. It has been unanswerable since its tombstone."""
    erase_stale(desk, int(job.subject))
    with writing(desk.database) as connection:
        jobs.finish(connection, job)


def erase_stale(desk: Desk, document_id: int | None = None) -> int:
    """Delete every version that must not answer any more, prove that it is gone, and return how many there were."""
    stale = documents.stale_versions(desk.database, document_id)
    for version_id in stale:
        _erase(desk, version_id)
    return len(stale)


def digest(place: Path) -> str:
    """The SHA-256 of a file's content, read in pieces."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(place: Path, max_megabytes: int) -> Reading:
    try:
        if place.stat().st_size > max_megabytes * 1_000_000:
            raise UnreadableDocument(f"'{place.name}' is larger than {max_megabytes} MB; split it and drop the parts.")
        return sandbox.read(place)
    except OSError as error:
        raise UnreadableDocument(f"'{place.name}' cannot be opened ({error.strerror}).") from error


def _erase(desk: Desk, version_id: int) -> None:
    pieces = documents.chunks_of(desk.database, version_id)
    ids = [piece.chunk_id for piece in pieces]
    desk.knowledge.forget(ids)
    documents.erase(desk.database, version_id)
    left = set(desk.knowledge.present(ids)) | _found_by_words(desk, pieces[0].text if pieces else "", ids)
    documents.prove_gone(desk.database, version_id, f"{len(left)} chunks are still found" if left else "gone")


def _found_by_words(desk: Desk, text: str, ids: list[str]) -> set[str]:
    return {chunk_id for chunk_id, _ in lexical.search(desk.database, text[:500], 50)} & set(ids)
