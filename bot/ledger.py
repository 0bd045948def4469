"""The ledger of documents: every change to which files there are and which version of each answers.

A version becomes visible in one transaction and only when it is whole; a removal is a tombstone that wins over an
ingest in flight (DESIGN rule 2). `bot.documents` reads what is written here. This module knows nothing of readers,
embeddings or vector stores.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from bot import db, indexes, jobs, lexical
from bot.records import Chunk, Indexed, Job, Sighting

# What is small goes the fast lane, as long as few wait there: a lone new file never waits behind a thousand others.
SMALL_BYTES = 200_000
MOST_WAITING_FAST = 20
META_COLUMNS = ("owner", "valid_from", "valid_until", "problem")


def observe(engine: sa.Engine, sightings: Sequence[Sighting]) -> set[str]:
    """Note that these files are there with this content; return the lanes in which work now waits for them."""
    seen = {sighting.path: sighting for sighting in sightings}
    with db.writing(engine) as connection:
        room = MOST_WAITING_FAST - _waiting_fast(connection)
        live, *building = indexes.open_ids(connection)
        wanted = _wanted(connection, seen, live)
        small = [document_id for document_id, one in wanted.items() if one.size_bytes <= SMALL_BYTES]
        fast = {document_id for document_id in list(wanted)[: max(room, 0)] if document_id in small}
        lanes = {document_id: jobs.FAST if document_id in fast else jobs.BULK for document_id in wanted}
        _add_versions(connection, live, wanted, lanes)
        for index_id in building:
            _add_versions(connection, index_id, wanted, dict.fromkeys(wanted, jobs.BULK))
    return set(lanes.values())


def _wanted(connection: sa.Connection, seen: Mapping[str, Sighting], live: int) -> dict[int, Sighting]:
    """The documents, in the order of their sightings, that need a new version for what was seen."""
    table = db.documents.c
    known = {row.path: row for row in connection.execute(sa.select(db.documents).where(table.path.in_(seen)))}
    digests = _digests(connection, [row.document_id for row in known.values()], live)
    new = _add_documents(connection, [one for path, one in seen.items() if path not in known])
    wanted: dict[int, Sighting] = {}
    for path, sighting in seen.items():
        if path in new:
            wanted[new[path]] = sighting
        elif _has_changed(connection, known[path], digests, sighting):
            wanted[known[path].document_id] = sighting
    return wanted


def _has_changed(connection: sa.Connection, document: db.Row, digests: Mapping[int, str], seen: Sighting) -> bool:
    """Whether a known document needs a new version; what is said about it is noted in any case."""
    same = not document.removed and digests.get(document.document_id) == seen.digest
    meta = _meta(seen)
    if not same or any(getattr(document, name) != value for name, value in meta.items()):
        _set(connection, document.document_id, removed=False, **meta)
    return not same


def _digests(connection: sa.Connection, document_ids: Sequence[int], index_id: int) -> dict[int, str]:
    """The digest of each document's newest version in an index."""
    table = db.versions.c
    query = sa.select(table.document_id, table.digest).order_by(table.version_id)
    chosen = query.where(table.document_id.in_(document_ids), table.index_id == index_id)
    return {row.document_id: row.digest for row in connection.execute(chosen)} if document_ids else {}


def _meta(seen: Sighting) -> dict[str, Any]:
    return {name: getattr(seen.meta, name) for name in META_COLUMNS}


def _add_documents(connection: sa.Connection, sightings: Sequence[Sighting]) -> dict[str, int]:
    """New documents for what was seen: their ids by path."""
    table = db.documents.c
    insert = sa.insert(db.documents).values(removed=False, updated_at=db.now()).returning(table.path, table.document_id)
    new = [{"path": one.path, "title": PurePath(one.path).stem, **_meta(one)} for one in sightings]
    return {row.path: row.document_id for row in connection.execute(insert, new)} if new else {}


def add_version(connection: sa.Connection, document_id: int, index_id: int, seen: Sighting, lane: str) -> None:
    """Queue a version of a document for an index."""
    _add_versions(connection, index_id, {document_id: seen}, {document_id: lane})


def _add_versions(
    connection: sa.Connection, index_id: int, wanted: Mapping[int, Sighting], lanes: Mapping[int, str]
) -> None:
    """Queue a version of each document for an index, in this order."""
    table = db.versions.c
    insert = sa.insert(db.versions).returning(table.document_id, table.version_id, sort_by_parameter_order=True)
    values = [
        {"document_id": document_id, "index_id": index_id, "digest": seen.digest}
        | {"size_bytes": seen.size_bytes, "modified_at": seen.changed_at}
        for document_id, seen in wanted.items()
    ]
    added = connection.execute(insert, values).all() if values else []
    jobs.enqueue_new(connection, "ingest", {str(row.version_id): lanes[row.document_id] for row in added})


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
        ids = {chunk.version_id for chunk in chunks}
        written = sa.select(db.chunks.c.version_id).where(db.chunks.c.version_id.in_(ids)).distinct()
        for version_id in connection.execute(written).scalars().all():
            _delete_chunks(connection, version_id)
        if chunks:
            connection.execute(sa.insert(db.chunks), [vars(chunk) for chunk in chunks])
        lexical.index(connection, ids)


def activate(engine: sa.Engine, done: Sequence[Indexed]) -> list[Job]:
    """Switch documents to their new, whole versions and end the jobs, in one transaction.

    A document that was removed or changed again meanwhile keeps what it has; a version for an index that is still
    being built waits for the switch of that index. Returns the jobs that another worker has taken over.
    """
    with db.writing(engine) as connection:
        live = indexes.open_ids(connection)[0]
        ours = jobs.finish_all(connection, [one.job for one in done])
        ready = {int(job.subject) for job in ours}
        places = {row.version_id: row for row in _current(connection, ready)}
        whole = [one for one in done if int(one.job.subject) in places]
        _show(connection, [one for one in whole if places[int(one.job.subject)].index_id == live], places)
        _describe(connection, whole)
    return [one.job for one in done if int(one.job.subject) not in ready]


def _current(connection: sa.Connection, version_ids: Collection[int]) -> list[db.Row]:
    """(version_id, document_id, index_id) of those versions that are to answer: the newest of documents still there."""
    table, other = db.versions.c, db.versions.alias()
    last = sa.select(sa.func.max(other.c.version_id))
    last = last.where(other.c.document_id == table.document_id, other.c.index_id == table.index_id)
    query = sa.select(table.version_id, table.document_id, table.index_id).join(db.documents)
    query = query.where(table.version_id.in_(version_ids), ~db.documents.c.removed)
    return list(connection.execute(query.where(table.version_id == last.scalar_subquery())))


def _show(connection: sa.Connection, whole: Sequence[Indexed], places: Mapping[int, db.Row]) -> None:
    """Let documents answer by these versions."""
    chosen = sa.update(db.documents).where(db.documents.c.document_id == sa.bindparam("document"))
    values = [
        {"document": places[version_id].document_id, "title": one.title, "active_version_id": version_id}
        for one, version_id in ((one, int(one.job.subject)) for one in whole)
    ]
    if values:
        connection.execute(chosen.values(updated_at=db.now()), values)


def _describe(connection: sa.Connection, whole: Sequence[Indexed]) -> None:
    """Note what was found in versions, and when they were first whole."""
    chosen = sa.update(db.versions).where(db.versions.c.version_id == sa.bindparam("version"))
    values = [
        {"version": int(one.job.subject), "title": one.title, "pages": one.pages, "chunk_count": one.chunks}
        | {"notes": list(one.notes), "timings_ms": one.timings_ms}
        for one in whole
    ]
    if values:
        connection.execute(chosen.values(indexed_at=sa.func.coalesce(db.versions.c.indexed_at, db.now())), values)


def requeue(engine: sa.Engine, path: str) -> str:
    """Try a document again; return the lane in which it waits."""
    with db.writing(engine) as connection:
        chosen = sa.select(db.documents.c.document_id).where(db.documents.c.path == path)
        version = newest(connection, connection.execute(chosen).scalar_one())
        assert version is not None  # every document that is listed has one
        lane = jobs.FAST if version.size_bytes <= SMALL_BYTES else jobs.BULK
        jobs.enqueue(connection, "ingest", str(version.version_id), lane)
    return lane


def erase(engine: sa.Engine, version_ids: Sequence[int], proof: str) -> set[int]:
    """Delete versions' chunks from the chunk table and the lexical index, and record what proves it so far, at once.
    Returns those that had some: what somebody else has erased meanwhile keeps the proof that it has."""
    with db.writing(engine) as connection:
        erased = {version_id for version_id in version_ids if _delete_chunks(connection, version_id)}
        _record_proof(connection, erased, proof)
    return erased


def record_proof(engine: sa.Engine, version_ids: Sequence[int], proof: str) -> None:
    """Record what a probe for the text of erased versions found."""
    with db.writing(engine) as connection:
        _record_proof(connection, version_ids, proof)


def _record_proof(connection: sa.Connection, version_ids: Collection[int], proof: str) -> None:
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


def _delete_chunks(connection: sa.Connection, version_id: int) -> int:
    lexical.forget(connection, version_id)
    return connection.execute(sa.delete(db.chunks).where(db.chunks.c.version_id == version_id)).rowcount


def _set(connection: sa.Connection, document_id: int, **values: object) -> None:
    chosen = sa.update(db.documents).where(db.documents.c.document_id == document_id)
    connection.execute(chosen.values(updated_at=db.now(), **values))
