"""Deletes what must not answer any more, and proves that it is gone: the old text is probed for in every leg."""

from collections.abc import Collection, Sequence

from bot import documents, indexes, ledger, lexical, retrieve
from bot.desk import Desk
from bot.log import get_log
from bot.records import Chunk

VERSIONS_TOGETHER = 50
PROBES = 3  # pieces of each version whose text is searched for
PROBE_DEPTH = 20
UNSEARCHED = "gone from every index"  # stays where a worker is killed before it has searched for the text

log = get_log(__name__)


def erase_stale(desk: Desk, document_ids: Collection[int] | None = None) -> int:
    """Delete every version that must not answer any more, prove that it is gone, and return how many there were.

    What is still found after all keeps its rows, so that the next sweep tries again; an alarm shows until it is gone.
    """
    stale = documents.stale_versions(desk.database, document_ids)
    for start in range(0, len(stale), VERSIONS_TOGETHER):
        _erase(desk, stale[start : start + VERSIONS_TOGETHER])
    return len(stale)


def _erase(desk: Desk, version_ids: Sequence[int]) -> None:
    pieces = {version_id: documents.chunks_of(desk.database, version_id) for version_id in version_ids}
    ids = [chunk.chunk_id for chunks in pieces.values() for chunk in chunks]
    left = _forget_vectors(desk, ids)
    gone = [version_id for version_id, chunks in pieces.items() if not left & {one.chunk_id for one in chunks}]
    others = set(gone) - ledger.erase(desk.database, gone, UNSEARCHED)  # whoever was faster searches for their texts
    proven = []
    for version_id in (one for one in version_ids if one not in others):
        found = _probe(desk, pieces[version_id], left)
        if found:
            ledger.record_proof(desk.database, [version_id], found)
            log.error("deleted text can still be found", version=version_id, found=found)
        else:
            proven.append(version_id)
    ledger.record_proof(desk.database, proven, "gone")


def _forget_vectors(desk: Desk, ids: Sequence[str]) -> set[str]:
    """Delete vectors from every collection that may hold them; return the chunks that are still there."""
    left: set[str] = set()
    for index in indexes.in_use(desk.database):
        knowledge = desk.collections.of(index)
        knowledge.forget(ids)
        left |= set(knowledge.present(ids))
    return left


def _probe(desk: Desk, pieces: Sequence[Chunk], left: set[str]) -> str:
    """In one sentence where a deleted version's text is still found; empty where it is gone."""
    ids = {piece.chunk_id for piece in pieces}
    if ids & left:
        return f"{len(ids & left)} of {len(ids)} pieces are still in the vector index."
    for piece in pieces[:: max(1, len(pieces) // PROBES)][:PROBES]:
        question = piece.text[:500]
        if ids & {chunk_id for chunk_id, _ in lexical.search(desk.database, question, PROBE_DEPTH)}:
            return "Its words are still in the lexical index."
        if ids & {passage.chunk_id for passage in retrieve.search(desk, question, PROBE_DEPTH)}:
            return "A search for its text still finds it."
    return ""
