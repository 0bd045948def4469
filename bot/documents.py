"""The ledger of documents: which files there are, which version of each answers, and how far a new one has come.

A version becomes visible in one transaction and only when it is whole; a removal is a tombstone that wins over an
ingest in flight (DESIGN rule 2). This module knows nothing of readers, embeddings or vector stores.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import PurePath

import sqlalchemy as sa

from bot import db, jobs, lexical
from bot.errors import NotAllowed
from bot.records import Chunk, Document, DocumentState, Job


def observe(engine: sa.Engine, path: str, digest: str, size_bytes: int, modified_at: float) -> int | None:
    """Note that the file `path` has this content; return the id of the job that will index it, None if it is known."""
    with db.writing(engine) as connection:
        document = connection.execute(sa.select(db.documents).where(db.documents.c.path == path)).first()
        if document is None:
            new = {"path": path, "title": PurePath(path).stem, "removed": False, "updated_at": db.now()}
            document_id = db.new_id(connection.execute(sa.insert(db.documents).values(**new)))
        else:
            document_id = document.document_id
            if not document.removed and _newest(connection, document_id).digest == digest:
                return None
        values = {"document_id": document_id, "digest": digest, "size_bytes": size_bytes, "modified_at": modified_at}
        version_id = db.new_id(connection.execute(sa.insert(db.versions).values(**values)))
        _set(connection, document_id, removed=False)
        return jobs.enqueue(connection, "ingest", str(version_id))


def tombstone(engine: sa.Engine, path: str) -> int | None:
    """Make a document unanswerable at once; return the id of the job that deletes its text, None if it is unknown."""
    with db.writing(engine) as connection:
        found = connection.execute(
            sa.select(db.documents.c.document_id).where(db.documents.c.path == path, ~db.documents.c.removed)
        ).scalar()
        if found is None:
            return None
        _set(connection, found, removed=True, active_version_id=None)
        return jobs.enqueue(connection, "forget", str(found))


def version_of(engine: sa.Engine, version_id: int) -> db.Row:
    """(document_id, path) of the document that a version is of."""
    query = (
        sa.select(db.documents.c.document_id, db.documents.c.path)
        .join(db.versions, db.versions.c.document_id == db.documents.c.document_id)
        .where(db.versions.c.version_id == version_id)
    )
    with db.reading(engine) as connection:
        return connection.execute(query).one()


def activate(
    engine: sa.Engine, job: Job, version_id: int, title: str, pages: int | None, chunks: Sequence[Chunk]
) -> bool:
    """Switch a document to its new, whole version and end the job, in one transaction.

    Returns False, and changes nothing but the job, where the document was removed or changed again meanwhile.
    Raises `LeaseLost` where another worker has taken over the job.
    """
    with db.writing(engine) as connection:
        jobs.finish(connection, job)
        version = connection.execute(sa.select(db.versions).where(db.versions.c.version_id == version_id)).one()
        newest = _newest(connection, version.document_id).version_id
        removed = connection.execute(
            sa.select(db.documents.c.removed).where(db.documents.c.document_id == version.document_id)
        ).scalar()
        if removed or newest != version_id:
            return False
        _set(connection, version.document_id, title=title, active_version_id=version_id)
        connection.execute(
            sa.update(db.versions)
            .where(db.versions.c.version_id == version_id)
            .values(pages=pages, chunk_count=len(chunks), indexed_at=db.now())
        )
        return True


def stale_versions(engine: sa.Engine, document_id: int | None = None) -> list[int]:
    """Versions that must never answer again but whose chunks are still stored: neither active nor being indexed."""
    working = sa.select(sa.cast(db.jobs.c.subject, sa.Integer)).where(
        db.jobs.c.kind == "ingest", db.jobs.c.state.in_(("queued", "running"))
    )
    active = sa.select(db.documents.c.active_version_id).where(db.documents.c.active_version_id.is_not(None))
    query = (
        sa.select(db.chunks.c.version_id)
        .distinct()
        .where(db.chunks.c.version_id.not_in(active), db.chunks.c.version_id.not_in(working))
    )
    if document_id is not None:
        of_document = sa.select(db.versions.c.version_id).where(db.versions.c.document_id == document_id)
        query = query.where(db.chunks.c.version_id.in_(of_document))
    return [row.version_id for row in db.rows(engine, query)]


def active_version(engine: sa.Engine, path: str) -> int | None:
    """The version of a document that answers now, or None."""
    row = db.one(engine, sa.select(db.documents.c.active_version_id).where(db.documents.c.path == path))
    return None if row is None else row.active_version_id


def store(engine: sa.Engine, version_id: int, chunks: Sequence[Chunk]) -> None:
    """Write a version's chunks and their lexical index, unseen until it is activated. Writing again replaces them."""
    with db.writing(engine) as connection:
        _delete_chunks(connection, version_id)
        if chunks:
            connection.execute(sa.insert(db.chunks), [asdict(chunk) for chunk in chunks])
        lexical.index(connection, chunks)


def erase(engine: sa.Engine, version_id: int) -> None:
    """Delete a version's chunks from the chunk table and the lexical index."""
    with db.writing(engine) as connection:
        _delete_chunks(connection, version_id)


def prove_gone(engine: sa.Engine, version_id: int, proof: str) -> None:
    """Record what a probe for the text of an erased version found."""
    with db.writing(engine) as connection:
        chosen = sa.update(db.versions).where(db.versions.c.version_id == version_id)
        connection.execute(chosen.values(forgotten_at=db.now(), proof=proof))


def _delete_chunks(connection: sa.Connection, version_id: int) -> None:
    lexical.forget(connection, version_id)
    connection.execute(sa.delete(db.chunks).where(db.chunks.c.version_id == version_id))


def chunks_of(engine: sa.Engine, version_id: int) -> list[Chunk]:
    """The chunks of a version, in reading order."""
    table = db.chunks.c
    query = sa.select(table.chunk_id, table.version_id, table.ordinal, table.heading, table.page, table.text)
    return [Chunk(*row) for row in db.rows(engine, query.where(table.version_id == version_id).order_by(table.ordinal))]


def listing(engine: sa.Engine, *, removed: bool = False) -> list[Document]:
    """Every document that is in the folder (or, with `removed`, every document that was), newest change first.

    What is known of its newest version's job says how far it has come.
    """
    newest = sa.select(sa.func.max(db.versions.c.version_id)).group_by(db.versions.c.document_id)
    work = (db.jobs.c.kind == "ingest") & (db.jobs.c.subject == sa.cast(db.versions.c.version_id, sa.String))
    query = (
        sa.select(db.documents, db.versions, db.jobs.c.state, db.jobs.c.error, db.jobs.c.progress)
        .join(db.versions, db.versions.c.document_id == db.documents.c.document_id)
        .join(db.jobs, work)
        .where(db.versions.c.version_id.in_(newest), db.documents.c.removed == removed)
        .order_by(db.documents.c.updated_at.desc())
    )
    return [_document(row) for row in db.rows(engine, query)]


def find(engine: sa.Engine, path: str) -> Document:
    """One document by its path in the inbox."""
    for document in listing(engine):
        if document.path == path:
            return document
    raise NotAllowed(f"There is no document '{path}'; the Documents page lists those that there are.")


def requeue(engine: sa.Engine, path: str) -> int:
    """Try a failed document again; return the id of its job."""
    document = find(engine, path)
    with db.writing(engine) as connection:
        version = _newest(connection, document.document_id)
        return jobs.enqueue(connection, "ingest", str(version.version_id))


def _newest(connection: sa.Connection, document_id: int) -> db.Row:
    query = sa.select(db.versions.c.version_id, db.versions.c.digest).where(db.versions.c.document_id == document_id)
    return connection.execute(query.order_by(db.versions.c.version_id.desc()).limit(1)).one()


def _set(connection: sa.Connection, document_id: int, **values: object) -> None:
    chosen = sa.update(db.documents).where(db.documents.c.document_id == document_id)
    connection.execute(chosen.values(updated_at=db.now(), **values))


def _document(row: db.Row) -> Document:
    return Document(
        document_id=row.document_id,
        path=row.path,
        title=row.title,
        state=_state(row),
        error=row.error,
        size_bytes=row.size_bytes,
        pages=row.pages,
        chunks=row.chunk_count,
        freshness_ms=None if row.indexed_at is None else 1000 * max(0.0, row.indexed_at - row.modified_at),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )


def _state(row: db.Row) -> DocumentState:
    if row.removed:
        return "removed"
    if row.state == "running":
        return "embedding" if row.progress.get("stage") == "embedding" else "reading"
    if row.state == "done":
        return "indexed"
    return "quarantined" if row.state == "quarantined" else "failed" if row.state == "failed" else "queued"
