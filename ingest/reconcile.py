"""Compares what must agree: the folder, the ledger, the chunk table, the lexical index and Chroma."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot import db, documents
from bot.desk import Desk
from ingest import pipeline, watch


@dataclass(frozen=True)
class Differences:
    """What disagrees; all empty when everything is in order."""

    not_in_ledger: list[str]
    not_in_folder: list[str]
    without_vector: list[str]
    vector_without_chunk: list[str]
    without_words: list[str]
    stale_versions: list[int]

    @property
    def any(self) -> bool:
        """Whether anything disagrees."""
        return any(vars(self).values())


def verify(desk: Desk) -> Differences:
    """List every difference. Work in progress shows as a difference until it is done."""
    inbox = desk.settings.inbox_dir
    folder = {place.relative_to(inbox).as_posix() for place in watch.documents_in(inbox)}
    ledger = {document.path for document in documents.listing(desk.database)}
    chunks = {row.chunk_id for row in db.rows(desk.database, sa.select(db.chunks.c.chunk_id))}
    vectors = set(desk.knowledge.every_id())
    return Differences(
        not_in_ledger=sorted(folder - ledger),
        not_in_folder=sorted(ledger - folder),
        without_vector=sorted(chunks - vectors),
        vector_without_chunk=sorted(vectors - chunks),
        without_words=sorted(chunks - _indexed(desk)),
        stale_versions=documents.stale_versions(desk.database),
    )


def repair(desk: Desk) -> Differences:
    """Mend every difference from the source: the folder, then the chunk table. Returns what is left."""
    watch.rescan(desk)
    found = verify(desk)
    pipeline.erase_stale(desk)
    desk.knowledge.forget(found.vector_without_chunk)
    for version_id in _versions_of(desk, [*found.without_vector, *found.without_words]):
        chunks = documents.chunks_of(desk.database, version_id)
        documents.store(desk.database, version_id, chunks)
        desk.knowledge.upsert(chunks)
    return verify(desk)


def _indexed(desk: Desk) -> set[str]:
    if desk.database.dialect.name != "sqlite":  # there the index is a column of the chunk table itself
        return {row.chunk_id for row in db.rows(desk.database, sa.select(db.chunks.c.chunk_id))}
    with db.reading(desk.database) as connection:
        return {row.chunk_id for row in connection.execute(sa.text("SELECT chunk_id FROM chunk_words"))}


def _versions_of(desk: Desk, chunk_ids: list[str]) -> list[int]:
    query = sa.select(db.chunks.c.version_id).distinct().where(db.chunks.c.chunk_id.in_(chunk_ids))
    return [row.version_id for row in db.rows(desk.database, query)]
