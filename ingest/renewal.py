"""A new embedding model or a new way of cutting: every document is indexed anew in a collection beside the live one,
which answers until the new one is whole. Then one transaction switches, and the old collection is dropped."""

import sqlalchemy as sa

from bot import bell, db, documents, indexes, jobs, ledger
from bot.desk import Desk
from bot.errors import SearchUnavailable
from bot.log import get_log
from bot.records import Sighting
from ingest import erasure

log = get_log(__name__)


def begin_if_needed(desk: Desk) -> bool:
    """Start to build an index where the settings ask for another one than there is; return whether one was started."""
    building, live = indexes.building(desk.database), indexes.live(desk.database)
    if indexes.fits(building or live, desk.settings):
        return False
    with db.writing(desk.database) as connection:
        indexes.give_up(connection)
        if indexes.fits(live, desk.settings):
            return False
        index_id = indexes.begin(connection, desk.settings)
        known = sa.select(db.documents.c.document_id, db.documents.c.path).where(~db.documents.c.removed)
        for document in connection.execute(known).all():
            version = ledger.newest(connection, document.document_id, live.index_id)
            if version is None:
                continue
            seen = Sighting(document.path, version.digest, version.size_bytes, version.modified_at)
            ledger.add_version(connection, document.document_id, index_id, seen, jobs.BULK)
    log.info("a new index is being built", model=desk.settings.embedding_model, cut=indexes.chunking(desk.settings))
    bell.ring(desk.settings, [jobs.BULK])
    switch_if_whole(desk)
    return True


def switch_if_whole(desk: Desk) -> bool:
    """Let the new index answer once every document has come through it, and return whether it does."""
    building = indexes.building(desk.database)
    if building is None or documents.rebuilding(desk.database, building)[0]:
        return False
    with db.writing(desk.database) as connection:
        if documents.count_waiting(connection, building):
            return False  # a document came in between
        indexes.switch(connection, building.index_id)
        _point_to(connection, building.index_id)
    log.info("a new index answers", collection=building.collection)
    drop_retired(desk)
    return True


def _point_to(connection: sa.Connection, index_id: int) -> None:
    """Let every document answer with its newest whole version in this index."""
    version = db.versions.c
    newest = sa.select(sa.func.max(version.version_id)).where(
        version.document_id == db.documents.c.document_id, version.index_id == index_id, version.indexed_at.is_not(None)
    )
    values = {"active_version_id": newest.scalar_subquery()}
    connection.execute(sa.update(db.documents).where(~db.documents.c.removed).values(**values))


def drop_retired(desk: Desk) -> None:
    """Delete the collections of retired indexes, then their documents' old chunks. A crash in between is made good by
    the next sweep."""
    for index in indexes.every(desk.database):
        if index.state != "retired":
            continue
        try:
            desk.collections.of(index).drop()
        except SearchUnavailable as error:
            log.warning("an old index waits to be dropped", collection=index.collection, reason=str(error))
            continue
        old = sa.select(db.versions.c.version_id).where(db.versions.c.index_id == index.index_id)
        version_ids = [row.version_id for row in db.rows(desk.database, old)]
        for start in range(0, len(version_ids), erasure.VERSIONS_TOGETHER):
            batch = version_ids[start : start + erasure.VERSIONS_TOGETHER]
            ledger.erase(desk.database, batch, "gone with its index")
        indexes.close(desk.database, index.index_id)
