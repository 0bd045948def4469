"""The ledger of documents: every change to which files there are and which version of each answers.

A version becomes visible in one transaction and only when it is whole; a removal is a tombstone that wins over an
ingest in flight (DESIGN rule 2). `bot.documents` reads what is written here. This module knows nothing of readers,
embeddings or vector stores.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from bot import db, indexes, jobs, lexical
from bot.errors import LeaseLost
from bot.records import Chunk, Indexed, Job, Sighting

# What is small goes the fast lane, as long as few wait there: a lone new file never waits behind a thousand others.
SMALL_BYTES = 200_000
MOST_WAITING_FAST = 20
META_COLUMNS = ("owner", "valid_from", "valid_until", "problem")


def observe(engine: sa.Engine, sightings: Sequence[Sighting]) -> set[str]:
    """Note that these files are there with this content; return the lanes in which work now waits for them."""
    lanes: set[str] = set()
    with db.writing(engine) as connection:
        room = MOST_WAITING_FAST - _waiting_fast(connection)
        live, *building = indexes.open_ids(connection)
        for sighting in sightings:
            document_id = _document_id(connection, sighting, live)
            if document_id is None:
                continue
            lane = jobs.FAST if room > 0 and sighting.size_bytes <= SMALL_BYTES else jobs.BULK
            room -= 1
            add_version(connection, document_id, live, sighting, lane)
            lanes.add(lane)
            for index_id in building:
                add_version(connection, document_id, index_id, sighting, jobs.BULK)
    return lanes


def _document_id(connection: sa.Connection, sighting: Sighting, live: int) -> int | None:
    """The document that needs a new version for what was seen, or None where it is known just so."""
    document = connection.execute(sa.select(db.documents).where(db.documents.c.path == sighting.path)).first()
    meta = {name: getattr(sighting.meta, name) for name in META_COLUMNS}
    if document is None:
        title = PurePath(sighting.path).stem
        new = {"path": sighting.path, "title": title, "removed": False, "updated_at": db.now(), **meta}
        return db.new_id(connection.execute(sa.insert(db.documents).values(**new)))
    before = newest(connection, document.document_id, live)
    known = not document.removed and before is not None and before.digest == sighting.digest
    if not known or any(getattr(document, name) != value for name, value in meta.items()):
        _set(connection, document.document_id, removed=False, **meta)
    return None if known else int(document.document_id)


def add_version(connection: sa.Connection, document_id: int, index_id: int, seen: Sighting, lane: str) -> None:
    """Queue a version of a document for an index."""
    values = {"document_id": document_id, "index_id": index_id, "digest": seen.digest}
    values |= {"size_bytes": seen.size_bytes, "modified_at": seen.changed_at}
    version_id = db.new_id(connection.execute(sa.insert(db.versions).values(**values)))
    jobs.enqueue(connection, "ingest", str(version_id), lane)


def tombstone(engine: sa.Engine, paths: Iterable[str]) -> set[str]:
    """Make documents unanswerable at once; return the lanes in which the jobs wait that delete their text."""
    lanes: set[str] = set()
    with db.writing(engine) as connection:
        room = MOST_WAITING_FAST - _waiting_fast(connection)
        for path in paths:
            chosen = sa.select(db.documents.c.document_id).where(db.documents.c.path == path, ~db.documents.c.removed)
            document_id = connection.execute(chosen).scalar()
            if document_id is None:
                continue
            lane = jobs.FAST if room > 0 else jobs.BULK
            room -= 1
            _set(connection, document_id, removed=True, active_version_id=None)
            jobs.enqueue(connection, "forget", str(document_id), lane)
            lanes.add(lane)
    return lanes


def move(engine: sa.Engine, path: str, to: str) -> bool:
    """Let a document answer under its file's new name; False where that name belongs to another document."""
    with db.writing(engine) as connection:
        if connection.scalar(sa.select(db.documents.c.document_id).where(db.documents.c.path == to)) is not None:
            return False
        chosen = sa.update(db.documents).where(db.documents.c.path == path)
        return bool(connection.execute(chosen.values(path=to, updated_at=db.now())).rowcount)


def store(engine: sa.Engine, chunks: Sequence[Chunk]) -> None:
    """Write versions' chunks and their lexical index, unseen until they are activated. Writing again replaces them."""
    with db.writing(engine) as connection:
        for version_id in {chunk.version_id for chunk in chunks}:
            _delete_chunks(connection, version_id)
        if chunks:
            connection.execute(sa.insert(db.chunks), [asdict(chunk) for chunk in chunks])
        lexical.index(connection, {chunk.version_id for chunk in chunks})


def activate(engine: sa.Engine, done: Sequence[Indexed]) -> list[Job]:
    """Switch documents to their new, whole versions and end the jobs, in one transaction.

    A document that was removed or changed again meanwhile keeps what it has; a version for an index that is still
    being built waits for the switch of that index. Returns the jobs that another worker has taken over.
    """
    lost = []
    with db.writing(engine) as connection:
        live = indexes.open_ids(connection)[0]
        for one in done:
            try:
                jobs.finish(connection, one.job)
            except LeaseLost:
                lost.append(one.job)
                continue
            _publish(connection, one, live)
    return lost


def _publish(connection: sa.Connection, one: Indexed, live: int) -> None:
    version_id = int(one.job.subject)
    chosen = (
        sa.select(db.versions, db.documents.c.removed).join(db.documents).where(db.versions.c.version_id == version_id)
    )
    version = connection.execute(chosen).one()
    last = newest(connection, version.document_id, version.index_id)
    if version.removed or last is None or last.version_id != version_id:
        return
    if version.index_id == live:
        _set(connection, version.document_id, title=one.title, active_version_id=version_id)
    values: dict[str, Any] = {"title": one.title, "pages": one.pages, "chunk_count": one.chunks}
    values["notes"] = list(one.notes)
    values |= {"timings_ms": one.timings_ms, "indexed_at": sa.func.coalesce(db.versions.c.indexed_at, db.now())}
    connection.execute(sa.update(db.versions).where(db.versions.c.version_id == version_id).values(**values))


def requeue(engine: sa.Engine, path: str) -> str:
    """Try a document again; return the lane in which it waits."""
    with db.writing(engine) as connection:
        chosen = sa.select(db.documents.c.document_id).where(db.documents.c.path == path)
        version = newest(connection, connection.execute(chosen).scalar_one())
        assert version is not None  # every document that is listed has one
        lane = jobs.FAST if version.size_bytes <= SMALL_BYTES else jobs.BULK
        jobs.enqueue(connection, "ingest", str(version.version_id), lane)
    return lane


def erase(engine: sa.Engine, version_ids: Sequence[int]) -> None:
    """Delete versions' chunks from the chunk table and the lexical index."""
    with db.writing(engine) as connection:
        for version_id in version_ids:
            _delete_chunks(connection, version_id)


def record_proof(engine: sa.Engine, version_ids: Sequence[int], proof: str) -> None:
    """Record what a probe for the text of erased versions found."""
    with db.writing(engine) as connection:
        chosen = sa.update(db.versions).where(db.versions.c.version_id.in_(version_ids))
        connection.execute(chosen.values(forgotten_at=db.now(), proof=proof))


def versions(engine: sa.Engine, version_ids: Sequence[int]) -> dict[int, db.Row]:
    """What a worker must know of versions: (version_id, document_id, index_id, path, removed, open, waited_ms). One is
    `open` while its index answers or is being built; `waited_ms` is how long its job waited."""
    document, table = db.documents.c, db.versions.c
    job = (db.jobs.c.kind == "ingest") & (db.jobs.c.subject == sa.cast(table.version_id, sa.String))
    waited = sa.func.round(1000 * (db.jobs.c.started_at - db.jobs.c.created_at)).label("waited_ms")
    is_open = db.indexes.c.state.in_(("live", "building")).label("open")
    known = (table.version_id, table.document_id, table.index_id, document.path, document.removed, is_open, waited)
    query = sa.select(*known).select_from(db.versions).join(db.documents)
    query = query.join(db.indexes, db.indexes.c.index_id == table.index_id).join(db.jobs, job)
    return {row.version_id: row for row in db.rows(engine, query.where(table.version_id.in_(version_ids)))}


def newest(connection: sa.Connection, document_id: int, index_id: int | None = None) -> db.Row | None:
    """The newest version of a document in an index; in the one that answers where none is named."""
    index_id = index_id or indexes.open_ids(connection)[0]
    table = db.versions.c
    query = sa.select(table.version_id, table.digest, table.size_bytes, table.modified_at)
    query = query.where(table.document_id == document_id, table.index_id == index_id)
    return connection.execute(query.order_by(table.version_id.desc()).limit(1)).first()


def _waiting_fast(connection: sa.Connection) -> int:
    waiting = sa.select(sa.func.count()).select_from(db.jobs)
    waiting = waiting.where(db.jobs.c.lane == jobs.FAST, db.jobs.c.state.in_(("queued", "running")))
    return connection.execute(waiting).scalar_one()


def _delete_chunks(connection: sa.Connection, version_id: int) -> None:
    lexical.forget(connection, version_id)
    connection.execute(sa.delete(db.chunks).where(db.chunks.c.version_id == version_id))


def _set(connection: sa.Connection, document_id: int, **values: object) -> None:
    chosen = sa.update(db.documents).where(db.documents.c.document_id == document_id)
    connection.execute(chosen.values(updated_at=db.now(), **values))
