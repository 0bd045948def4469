"""The documents as they stand: how far each has come, how fresh it is, what needs a person. `bot.ledger` makes the
changes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import db
from bot.errors import NotAllowed
from bot.records import Chunk, Document, DocumentState, Index, Meta

DAY_SECONDS = 86_400
RATE_SECONDS = 30
NEAR = 8  # chunks on either side
WORKING: tuple[DocumentState, ...] = ("queued", "reading", "embedding")
BROKEN: tuple[DocumentState, ...] = ("failed", "quarantined")

_chunk_columns = [
    db.chunks.c[name] for name in ("chunk_id", "version_id", "ordinal", "heading", "page", "text", "title", "signature")
]


@dataclass(frozen=True)
class Freshness:
    """Milliseconds from last write to first retrievable, over some documents; None where there are none."""

    documents: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class Progress:
    """How much work waits, how many documents a second are done now, and when that will be all of it."""

    waiting: int
    per_second: float
    seconds_left: float | None


def _work() -> sa.ColumnElement[bool]:
    return (db.jobs.c.kind == "ingest") & (db.jobs.c.subject == sa.cast(db.versions.c.version_id, sa.String))


def _state() -> sa.Case[str]:
    """How far a document has come: what is known of its newest version's job."""
    job = db.jobs.c
    stage = sa.func.coalesce(job.progress["stage"].as_string(), "reading")
    return sa.case(
        (db.documents.c.removed, "removed"),
        (job.state == "done", "indexed"),
        (job.state == "running", stage),
        else_=job.state,
    )


def _selected(*columns: Any) -> sa.Select[*tuple[Any, ...]]:
    """Every document with its newest version in the index that answers and that version's job."""
    other = db.versions.alias()
    live = sa.select(db.indexes.c.index_id).where(db.indexes.c.state == "live").scalar_subquery()
    newest = sa.select(sa.func.max(other.c.version_id)).where(
        other.c.document_id == db.documents.c.document_id, other.c.index_id == live
    )
    return (
        sa.select(*columns)
        .select_from(db.documents)
        .join(db.versions, db.versions.c.version_id == newest.scalar_subquery())
        .join(db.jobs, _work())
    )


def _inside(folder: str) -> sa.ColumnElement[bool]:
    """Whether a document lies in a folder or below it."""
    return sa.func.substr(db.documents.c.path, 1, len(folder) + 1) == f"{folder}/"


def listing(
    engine: sa.Engine,
    *,
    removed: bool = False,
    sought: str = "",
    states: Collection[DocumentState] = (),
    collection: str = "",
    most: int | None = None,
) -> list[Document]:
    """The documents that are in the folder (or, with `removed`, those that were), the newest change first.

    They can be limited to those with `sought` in their title or path, to some states, and to a folder.
    """
    state = _state().label("document_state")
    query = _selected(db.documents, *(c for c in db.versions.c if c.name not in ("document_id", "title")), state)
    query = query.add_columns(db.jobs.c.error).where(db.documents.c.removed == removed)
    if sought.strip():
        columns = (db.documents.c.title, db.documents.c.path)
        query = query.where(sa.or_(*(column.icontains(sought.strip(), autoescape=True) for column in columns)))
    if states:
        query = query.where(state.in_(states))
    if collection:
        query = query.where(_inside(collection))
    order = query.order_by(db.documents.c.updated_at.desc(), db.documents.c.document_id.desc()).limit(most)
    return [_document(row) for row in db.rows(engine, order)]


def find(engine: sa.Engine, path: str) -> Document:
    """One document by its path in the inbox."""
    for document in listing(engine, sought=path):
        if document.path == path:
            return document
    raise NotAllowed(f"There is no document '{path}'; the Documents page lists those that there are.")


def paths(engine: sa.Engine, below: str = "") -> dict[str, str]:
    """The digest of every document in the folder by its path; only of `below` and what lies in it, where named."""
    query = _selected(db.documents.c.path, db.versions.c.digest).where(~db.documents.c.removed)
    if below:
        query = query.where((db.documents.c.path == below) | _inside(below))
    return {row.path: row.digest for row in db.rows(engine, query)}


def among(engine: sa.Engine, wanted: Collection[str]) -> set[str]:
    """Which of these paths are documents of the folder."""
    query = sa.select(db.documents.c.path).where(db.documents.c.path.in_(wanted), ~db.documents.c.removed)
    return {row.path for row in db.rows(engine, query)} if wanted else set()


def any_ever(engine: sa.Engine) -> bool:
    """Whether there is, or ever was, a document."""
    return db.one(engine, sa.select(db.documents.c.document_id).limit(1)) is not None


def count_by_state(engine: sa.Engine) -> dict[DocumentState, int]:
    """How many documents of the folder are in each state."""
    state = _state().label("state")
    query = _selected(state, sa.func.count().label("number")).where(~db.documents.c.removed)
    return {row.state: row.number for row in db.rows(engine, query.group_by(state))}


def collections(engine: sa.Engine) -> list[str]:
    """The folders that answering documents lie in, and the folders above them."""
    path = db.documents.c.path
    folder = sa.func.rtrim(path, sa.func.replace(path, "/", ""))  # without what follows the last "/"
    query = sa.select(folder.label("folder")).distinct().where(db.documents.c.active_version_id.is_not(None))
    folders = {row.folder.rstrip("/") for row in db.rows(engine, query)}
    every = {"/".join(folder.split("/")[:depth]) for folder in folders for depth in range(1, folder.count("/") + 2)}
    return sorted(every - {""})


def freshness(engine: sa.Engine, seconds: float = DAY_SECONDS) -> Freshness:
    """How fresh the documents were that became retrievable in the last `seconds`."""
    version = db.versions.c
    live = sa.select(db.indexes.c.index_id).where(db.indexes.c.state == "live")
    query = sa.select(version.indexed_at - version.modified_at).where(version.index_id.in_(live))
    values = [1000 * max(0.0, row[0]) for row in db.rows(engine, query.where(version.indexed_at > db.now() - seconds))]
    if not values:
        return Freshness(0, None, None)
    return Freshness(len(values), *(float(value) for value in np.percentile(values, (50, 95))))


def progress(engine: sa.Engine) -> Progress:
    """How the work on documents goes, by what was done in the last `RATE_SECONDS`."""
    job = db.jobs.c
    of_documents = job.kind == "ingest"
    open_jobs = sa.select(sa.func.count()).where(of_documents, job.state.in_(("queued", "running")))
    ended = sa.select(sa.func.count(), db.now() - sa.func.min(job.finished_at))
    ended = ended.where(of_documents, job.finished_at > db.now() - RATE_SECONDS)
    with db.reading(engine) as connection:
        waiting = connection.execute(open_jobs).scalar_one()
        done, since = connection.execute(ended).one()
    rate = done / max(since or 0.0, 1.0)
    return Progress(waiting, rate, waiting / rate if rate else None)


def rebuilding(engine: sa.Engine, building: Index) -> tuple[int, int]:
    """How many documents a new index still waits for, and how many it will hold."""
    with db.reading(engine) as connection:
        every = sa.select(sa.func.count()).select_from(db.documents).where(~db.documents.c.removed)
        return count_waiting(connection, building), connection.execute(every).scalar_one()


def count_waiting(connection: sa.Connection, index: Index) -> int:
    """How many versions for an index are not done yet."""
    query = sa.select(sa.func.count()).select_from(db.versions).join(db.jobs, _work())
    query = query.where(db.versions.c.index_id == index.index_id, db.jobs.c.state.in_(("queued", "running")))
    return connection.execute(query).scalar_one()


def unproven(engine: sa.Engine) -> list[tuple[str, str]]:
    """(path, what was found) of documents whose deleted text could still be found when it was last probed for."""
    query = (
        sa.select(db.documents.c.path, db.versions.c.proof)
        .join(db.versions, db.versions.c.document_id == db.documents.c.document_id)
        .where(db.versions.c.proof.is_not(None), ~db.versions.c.proof.startswith("gone"))
    )
    return [(row.path, row.proof) for row in db.rows(engine, query)]


def proofs(engine: sa.Engine, path: str) -> list[tuple[int, datetime, str]]:
    """(version, when, what the probe found) of every version of a document whose text was deleted."""
    query = (
        sa.select(db.versions.c.version_id, db.versions.c.forgotten_at, db.versions.c.proof)
        .join(db.documents, db.versions.c.document_id == db.documents.c.document_id)
        .where(db.documents.c.path == path, db.versions.c.proof.is_not(None))
        .order_by(db.versions.c.version_id.desc())
    )
    found = db.rows(engine, query)
    return [(row.version_id, datetime.fromtimestamp(row.forgotten_at, UTC), row.proof) for row in found]


def chunks_of(engine: sa.Engine, version_id: int) -> list[Chunk]:
    """The chunks of a version, in reading order."""
    query = sa.select(*_chunk_columns).where(db.chunks.c.version_id == version_id).order_by(db.chunks.c.ordinal)
    return [Chunk(*row) for row in db.rows(engine, query)]


def around(engine: sa.Engine, chunk_id: str) -> list[Chunk]:
    """A chunk and those near it under the same heading, in reading order; none where it is no more."""
    chunk, its = db.chunks.c, db.chunks.alias().c
    query = sa.select(*_chunk_columns).where(its.chunk_id == chunk_id, chunk.version_id == its.version_id)
    query = query.where(chunk.heading == its.heading, chunk.ordinal.between(its.ordinal - NEAR, its.ordinal + NEAR))
    return [Chunk(*row) for row in db.rows(engine, query.order_by(chunk.ordinal))]


def chunk_ids(engine: sa.Engine, index_id: int) -> set[str]:
    """The chunks of an index."""
    query = sa.select(db.chunks.c.chunk_id).join(db.versions).where(db.versions.c.index_id == index_id)
    return {row.chunk_id for row in db.rows(engine, query)}


def versions_of(engine: sa.Engine, wanted: Collection[str], index_id: int) -> list[int]:
    """The versions of an index that these chunks belong to."""
    query = sa.select(db.chunks.c.version_id, db.chunks.c.chunk_id).join(db.versions)
    chosen = set(wanted)
    found = db.rows(engine, query.where(db.versions.c.index_id == index_id)) if chosen else []
    return sorted({row.version_id for row in found if row.chunk_id in chosen})


def hollow(engine: sa.Engine) -> list[str]:
    """Documents that answer with fewer chunks than were made of them."""
    stored = sa.select(sa.func.count()).where(db.chunks.c.version_id == db.versions.c.version_id)
    query = sa.select(db.documents.c.path).join(
        db.versions, db.versions.c.version_id == db.documents.c.active_version_id
    )
    query = query.where(db.versions.c.chunk_count != stored.scalar_subquery())
    return sorted(row.path for row in db.rows(engine, query))


def active_version(engine: sa.Engine, path: str) -> int | None:
    """The version of a document that answers now, or None."""
    row = db.one(engine, sa.select(db.documents.c.active_version_id).where(db.documents.c.path == path))
    return None if row is None else row.active_version_id


def active_versions(engine: sa.Engine, collection: str) -> list[int]:
    """The versions that answer for the documents of a folder."""
    active = db.documents.c.active_version_id
    query = sa.select(active).where(active.is_not(None), _inside(collection.strip("/")))
    return [row.active_version_id for row in db.rows(engine, query)]


def stale_versions(engine: sa.Engine, document_ids: Collection[int] | None = None) -> list[int]:
    """Versions that must never answer again but whose chunks are still stored: neither active, nor being indexed, nor
    ready for an index that is being built."""
    working = sa.select(sa.cast(db.jobs.c.subject, sa.Integer)).where(
        db.jobs.c.kind == "ingest", db.jobs.c.state.in_(("queued", "running"))
    )
    active = sa.select(db.documents.c.active_version_id).where(db.documents.c.active_version_id.is_not(None))
    ready = (
        sa.select(sa.func.max(db.versions.c.version_id))
        .join(db.indexes, db.indexes.c.index_id == db.versions.c.index_id)
        .join(db.documents, db.documents.c.document_id == db.versions.c.document_id)
        .where(db.indexes.c.state == "building", ~db.documents.c.removed)
        .group_by(db.versions.c.document_id)
    )
    # those of a retired index go with its collection
    in_index = db.indexes.c.index_id == db.versions.c.index_id
    retired = sa.select(db.versions.c.version_id).join(db.indexes, in_index).where(db.indexes.c.state == "retired")
    version = db.chunks.c.version_id
    query = sa.select(version).distinct().where(version.not_in(active), version.not_in(working))
    query = query.where(version.not_in(ready), version.not_in(retired))
    if document_ids is not None:
        of_document = sa.select(db.versions.c.version_id).where(db.versions.c.document_id.in_(document_ids))
        query = query.where(version.in_(of_document))
    return [row.version_id for row in db.rows(engine, query)]


def _document(row: db.Row) -> Document:
    return Document(
        document_id=row.document_id,
        path=row.path,
        title=row.title,
        digest=row.digest,
        state=row.document_state,
        error=row.error,
        size_bytes=row.size_bytes,
        pages=row.pages,
        chunks=row.chunk_count,
        answers=row.active_version_id is not None,
        freshness_ms=None if row.indexed_at is None else 1000 * max(0.0, row.indexed_at - row.modified_at),
        timings_ms=row.timings_ms,
        notes=(*row.notes, *([row.problem] if row.problem else [])),
        meta=Meta(row.owner, row.valid_from, row.valid_until, row.problem),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )
