"""Compares what must agree: the folder, the ledger, the chunk table, the lexical index and Chroma."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot import bell, documents, indexes, ledger, lexical
from bot.desk import Desk
from bot.errors import SearchUnavailable
from bot.knowledge import Knowledge
from ingest import erasure, folder, renewal, watch

RESTART_SECONDS = 60


@dataclass(frozen=True)
class _Vectors:
    """Chunks without a vector, vectors without a chunk, collections that cannot be searched."""

    missing: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Differences:
    """What disagrees; all empty when everything is in order."""

    not_in_ledger: list[str] = field(default_factory=list)
    not_in_folder: list[str] = field(default_factory=list)
    changed_since: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    without_chunks: list[str] = field(default_factory=list)
    without_vector: list[str] = field(default_factory=list)
    vector_without_chunk: list[str] = field(default_factory=list)
    without_words: list[str] = field(default_factory=list)
    words_without_chunk: list[int] = field(default_factory=list)
    unsearchable: list[str] = field(default_factory=list)
    stale_versions: list[int] = field(default_factory=list)
    not_proven_gone: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything disagrees."""
        return any(vars(self).values())


def verify(desk: Desk) -> Differences:
    """List every difference. Work in progress shows as a difference until it is done."""
    database = desk.database
    files = {file.relative_to(desk.settings.inbox_dir).as_posix(): file for file in _files(desk)}
    known = documents.paths(database)
    both = set(files) & set(known)
    vectors = _compare_vectors(desk)
    return Differences(
        not_in_ledger=sorted(set(files) - set(known)),
        not_in_folder=sorted(set(known) - set(files)),
        changed_since=sorted(path for path in both if _has_changed(desk, files[path], known[path])),
        unfinished=[one.path for one in documents.listing(database, states=documents.WORKING)],
        without_chunks=documents.hollow(database),
        without_vector=vectors.missing,
        vector_without_chunk=vectors.strange,
        without_words=sorted(lexical.missing(database)),
        words_without_chunk=lexical.strange(database),
        unsearchable=vectors.broken,
        stale_versions=documents.stale_versions(database),
        not_proven_gone=[f"{path}: {found}" for path, found in documents.unproven(database)],
    )


def repair(desk: Desk) -> Differences:
    """Mend every difference from the source: the folder, then the chunk table. Returns what is left: what has to be
    read again waits for a worker."""
    watch.rescan(desk)
    for index in indexes.in_use(desk.database):
        if not desk.collections.of(index).searchable():
            _drop(desk.collections.of(index))  # it is filled again below
    renewal.drop_retired(desk)
    found = verify(desk)
    lexical.strike(desk.database, found.words_without_chunk)
    _restore(desk, [*found.without_vector, *found.without_words])
    for index in indexes.in_use(desk.database):
        desk.collections.of(index).forget(found.vector_without_chunk)
    erasure.erase_stale(desk)
    for path in found.without_chunks:
        bell.ring(desk.settings, [ledger.requeue(desk.database, path)])
    return verify(desk)


def _drop(knowledge: Knowledge) -> None:
    """Drop a collection; a server that broke down over it is given time to come back."""
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            return knowledge.drop()
        except SearchUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _restore(desk: Desk, chunk_ids: list[str]) -> None:
    """Write the words and vectors of these chunks' versions anew, from the chunk table."""
    for index in indexes.in_use(desk.database):
        knowledge = desk.collections.of(index)
        for version_id in documents.versions_of(desk.database, chunk_ids, index.index_id):
            chunks = documents.chunks_of(desk.database, version_id)
            ledger.store(desk.database, chunks)
            knowledge.upsert(chunks, knowledge.embed(chunks))


def _compare_vectors(desk: Desk) -> _Vectors:
    compared = _Vectors()
    for index in indexes.in_use(desk.database):
        knowledge = desk.collections.of(index)
        if not knowledge.searchable():  # then its ids may not be readable either, and it is made anew in any case
            compared.broken.append(index.collection)
            continue
        chunks, vectors = documents.chunk_ids(desk.database, index.index_id), knowledge.every_id()
        compared.missing.extend(sorted(chunks - vectors))
        compared.strange.extend(sorted(vectors - chunks))
    return compared


def _files(desk: Desk) -> Iterator[Path]:
    return folder.documents_in(desk.settings.inbox_dir)


def _has_changed(desk: Desk, file: Path, digest: str) -> bool:
    try:
        return folder.digest(file, desk.settings.max_file_megabytes * 1_000_000) != digest
    except OSError:
        return False  # it cannot be opened; its document says so
