"""Question and history in, ranked passages out: a dense and a lexical leg, fused by the sum of their z-scores.

The sum of normalised scores beat reciprocal rank fusion on five of six development sets; both legs are searched a
few times deeper than asked, and what is not of an active version is dropped here.
"""

import itertools
import statistics
from collections.abc import Sequence

import sqlalchemy as sa
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from bot import db, documents, lexical, likeness
from bot.desk import Desk
from bot.records import Passage, Turn

DEPTH = 30
ATTEMPTS = 2  # a document may be switched to its new version between the search and the look at what answers
LEGS = ("dense", "lexical")


class PassageRetriever(BaseRetriever):
    """Our search as a LangChain retriever: each document's metadata holds its `Passage` under "passage"."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    desk: Desk
    k: int = 4
    history: tuple[Turn, ...] = ()
    collection: str = ""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        found = search(self.desk, query, self.k, self.history, collection=self.collection)
        return [
            LangChainDocument(passage.text, id=passage.chunk_id, metadata={"passage": passage}) for passage in found
        ]


def search(
    desk: Desk,
    question: str,
    k: int,
    history: Sequence[Turn] = (),
    legs: Sequence[str] = LEGS,
    collection: str = "",
) -> list[Passage]:
    """The `k` best passages of documents that are active and valid today, best first; near-duplicates count once.

    `collection` limits the search to a folder of the inbox. Raises `SearchUnavailable` or `ModelUnavailable`.
    """
    depth = max(DEPTH, k)
    for _ in range(ATTEMPTS):
        scores: dict[str, float] = {}
        for query, leg in itertools.product(standalone(question, history), legs):
            for chunk_id, score in _normalised(_SEARCHES[leg](desk, query, depth, collection), depth).items():
                scores[chunk_id] = scores.get(chunk_id, 0.0) + score
        passages = _passages(desk.database, scores)
        if passages or not scores:
            break
    return _different(passages, k)


def standalone(question: str, history: Sequence[Turn]) -> list[str]:
    """What to search for: the question, and, in a conversation, the question after the one before it."""
    before = [turn.text for turn in history if turn.role == "user"][-1:]
    return [question, *(f"{text} {question}" for text in before)]


def _dense(desk: Desk, query: str, k: int, collection: str) -> list[tuple[str, float]]:
    knowledge = desk.knowledge
    versions = documents.active_versions(desk.database, collection) if collection else None
    return knowledge.search(knowledge.embeddings.embed_query(query), k, versions)


def _lexical(desk: Desk, query: str, k: int, collection: str) -> list[tuple[str, float]]:
    return lexical.search(desk.database, query, k, collection)


_SEARCHES = {"dense": _dense, "lexical": _lexical}


def _normalised(hits: Sequence[tuple[str, float]], depth: int) -> dict[str, float]:
    """z-scores, moved so that a chunk that the leg did not find counts zero. A leg that found fewer than it was asked
    for found nothing in all others: they score zero, so that the only chunk with a rare word stands out."""
    if not hits:
        return {}
    values = [score for _, score in hits] + [0.0] * (depth - len(hits))
    spread = statistics.pstdev(values) or 1.0
    lowest = min(values)
    return {chunk_id: (score - lowest) / spread for chunk_id, score in hits}


def _passages(engine: sa.Engine, scores: dict[str, float]) -> list[tuple[Passage, bytes]]:
    """The chunks of active and valid versions as passages with their signatures, best first. This is where old, removed
    and expired text is stopped."""
    table, document = db.chunks.c, db.documents.c
    query = (
        sa.select(*table, document.path)
        .join(db.documents, document.active_version_id == table.version_id)
        .where(table.chunk_id.in_(list(scores)))
        .where(document.valid_from.is_(None) | (document.valid_from <= db.now()))
        .where(document.valid_until.is_(None) | (document.valid_until > db.now()))
    )
    found = [(_passage(row, scores[row.chunk_id]), row.signature) for row in db.rows(engine, query)]
    return sorted(found, key=lambda one: (-scores[one[0].chunk_id], one[0].chunk_id))


def _passage(row: db.Row, score: float) -> Passage:
    return Passage(
        chunk_id=row.chunk_id,
        version_id=row.version_id,
        document=row.path,
        title=row.title,
        heading=row.heading,
        page=row.page,
        text=row.text,
        score=round(score, 4),
    )


def _different(ranked: Sequence[tuple[Passage, bytes]], k: int) -> list[Passage]:
    """The first `k` that say something different: of near-duplicates only the best is kept, and cited."""
    kept: list[tuple[Passage, bytes]] = []
    for passage, signature in ranked:
        if not any(likeness.alike(signature, other) for _, other in kept):
            kept.append((passage, signature))
        if len(kept) == k:
            break
    return [passage for passage, _ in kept]
