"""Question and history in, ranked passages out: a dense and a lexical leg, fused by the sum of their z-scores.

The sum of normalised scores beat reciprocal rank fusion on five of six development sets; both legs are searched a
few times deeper than asked, and what is not of an active version is dropped here.
"""

import statistics
from collections.abc import Sequence

import sqlalchemy as sa
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from bot import db, lexical
from bot.desk import Desk
from bot.records import Passage, Turn

DEPTH = 30
LEGS = ("dense", "lexical")


class PassageRetriever(BaseRetriever):
    """Our search as a LangChain retriever: each document's metadata holds its `Passage` under "passage"."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    desk: Desk
    k: int = 4
    history: tuple[Turn, ...] = ()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        found = search(self.desk, query, self.k, self.history)
        return [
            LangChainDocument(passage.text, id=passage.chunk_id, metadata={"passage": passage}) for passage in found
        ]


def search(
    desk: Desk, question: str, k: int, history: Sequence[Turn] = (), legs: Sequence[str] = LEGS
) -> list[Passage]:
    """The `k` best passages of active documents, best first. Raises `SearchUnavailable` or `ModelUnavailable`."""
    depth = max(DEPTH, k)
    scores: dict[str, float] = {}
    for query in standalone(question, history):
        for leg in legs:
            hits = _dense(desk, query, depth) if leg == "dense" else lexical.search(desk.database, query, depth)
            for chunk_id, score in _normalised(hits).items():
                scores[chunk_id] = scores.get(chunk_id, 0.0) + score
    ranked = sorted(scores, key=lambda chunk_id: -scores[chunk_id])
    active = _passages(desk.database, {chunk_id: scores[chunk_id] for chunk_id in ranked})
    return [active[chunk_id] for chunk_id in ranked if chunk_id in active][:k]


def standalone(question: str, history: Sequence[Turn]) -> list[str]:
    """What to search for: the question, and, in a conversation, the question after the one before it."""
    before = [turn.text for turn in history if turn.role == "user"][-1:]
    return [question, *(f"{text} {question}" for text in before)]


def _dense(desk: Desk, query: str, k: int) -> list[tuple[str, float]]:
    return desk.knowledge.search(desk.embeddings.embed_query(query), k)


def _normalised(hits: Sequence[tuple[str, float]]) -> dict[str, float]:
    """z-scores, moved so that the weakest hit of the leg counts as much as a chunk that the leg did not find: zero."""
    if not hits:
        return {}
    values = [score for _, score in hits]
    spread = statistics.pstdev(values) or 1.0
    lowest = min(values)
    return {chunk_id: (score - lowest) / spread for chunk_id, score in hits}


def _passages(engine: sa.Engine, scores: dict[str, float]) -> dict[str, Passage]:
    """The chunks that belong to active versions, as passages. This is where old and removed text is stopped."""
    table, document = db.chunks.c, db.documents.c
    query = (
        sa.select(*table, document.path, document.title)
        .join(db.documents, document.active_version_id == table.version_id)
        .where(table.chunk_id.in_(list(scores)))
    )
    return {
        row.chunk_id: Passage(
            chunk_id=row.chunk_id,
            version_id=row.version_id,
            document=row.path,
            title=row.title,
            heading=row.heading,
            page=row.page,
            text=row.text,
            score=round(scores[row.chunk_id], 4),
        )
        for row in db.rows(engine, query)
    }
