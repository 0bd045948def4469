"""Question and history in, ranked passages out: nearness of meaning, words and phrases, each as z-scores, added up.

What words and phrases say counts less the less of the question they cover: where the best match has only its odd words,
nearness decides. LOG.md in this folder has what else was tried. All legs search only documents that are active and
valid today; what is not is dropped here once more.
"""

import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import sqlalchemy as sa
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from bot import db, documents, followups, lexical, likeness, model
from bot.desk import Desk
from bot.followups import Query
from bot.lexical import Form
from bot.records import Passage, Turn
from bot.revision import Kept, revision, unseen_versions

DEPTH = 100
ATTEMPTS = 2  # a document may be switched to its new version between the search and the look at what answers
LEGS = ("dense", "lexical", "phrases")
# What the forms of the lexical search weigh, the dense leg weighing 1.
FORMS: dict[str, dict[Form, float]] = {"lexical": {"words": 1.0}, "phrases": {"phrases": 0.4, "pairs": 0.2}}
FROM_ONE_SECTION = 2
CROWDED = 0.5  # what is left of a passage's score for each that its section has had too many
LOOKED_AT, TIMES_K = 60, 3  # so many of the best are looked at in the chunk table
RERANKED = 20
KEPT_SEARCHES = 200

_kept: "Kept[_Searched]" = Kept(KEPT_SEARCHES)


class PassageRetriever(BaseRetriever):
    """Our search as a LangChain retriever: each document's metadata holds its `Passage` under "passage". What several
    documents say in the same words comes once."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    desk: Desk
    k: int = 4
    history: tuple[Turn, ...] = ()
    collection: str = ""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        found = search(self.desk, query, self.k, self.history, collection=self.collection, copies=False)
        return [
            LangChainDocument(passage.text, id=passage.chunk_id, metadata={"passage": passage}) for passage in found
        ]


@dataclass(frozen=True)
class _Asked:
    """Everything that decides what a search finds, beside the documents."""

    question: str
    k: int
    history: tuple[Turn, ...]
    legs: tuple[str, ...]
    collection: str
    copies: bool
    servers: tuple[str, ...]


@dataclass(frozen=True)
class _Searched:
    passages: tuple[Passage, ...]
    in_context: str


def search(
    desk: Desk,
    question: str,
    k: int,
    history: Sequence[Turn] = (),
    legs: Sequence[str] = LEGS,
    collection: str = "",
    copies: bool = True,
) -> list[Passage]:
    """The `k` best passages of documents that are active and valid today, best first; at most two of one section where
    others are near.

    `collection` limits the search to a folder of the inbox. Without `copies`, of passages of several documents that say
    the same only the best is found; of one document's it always is. Raises `SearchUnavailable` or `ModelUnavailable`.
    """
    return list(_searched(desk, question, k, history, legs, collection, copies).passages)


def standalone(question: str, history: Sequence[Turn], desk: Desk | None = None, collection: str = "") -> list[str]:
    """The question, and, in a conversation, the question in its context: what evidence is judged for. With a `desk` the
    context is what the search found to bring the documents nearest; without one it is the question before."""
    if desk is None:
        before = [turn.text for turn in history if turn.role == "user"][-1:]
        return [question, *(f"{text} {question}" for text in before)]
    context = _searched(desk, question, desk.settings.passages, history, LEGS, collection, False).in_context
    return [question] if context == question else [question, context]


def _searched(
    desk: Desk,
    question: str,
    k: int,
    history: Sequence[Turn],
    legs: Sequence[str],
    collection: str,
    copies: bool,
) -> _Searched:
    """A search as it was done while the documents were as they are now, or done."""
    settings = desk.settings
    servers = (settings.chroma_url, settings.model_url, settings.model, settings.reranker)
    asked = _Asked(question, k, tuple(history), tuple(legs), collection.strip("/"), copies, servers)
    now = revision(desk.database)
    found = _kept.get(desk.database, now, asked)
    if found is None:
        found = _search(desk, asked)
        _kept.put(desk.database, now, asked, found)
    return found


def _search(desk: Desk, asked: _Asked) -> _Searched:
    queries = followups.queries(desk, asked.question, asked.history)
    ranked: list[tuple[Passage, bytes]] = []
    in_context = asked.question
    for _ in range(ATTEMPTS):
        scores, in_context = _scores(desk, queries, asked)
        ranked = _passages(desk.database, scores, max(LOOKED_AT, TIMES_K * asked.k))
        if ranked or not scores:
            break
    if desk.settings.reranker:
        ranked = _reranked(desk, in_context, ranked)
    return _Searched(tuple(_different(ranked, asked.k, asked.copies)), in_context)


def _scores(desk: Desk, queries: Sequence[Query], asked: _Asked) -> tuple[dict[str, float], str]:
    """What every chunk found weighs, over all readings of the question and all legs, and the reading that was nearest.

    The words are looked up while the question is being embedded."""
    depth = max(DEPTH, asked.k)
    with ThreadPoolExecutor(1, "lexical") as beside:
        by_words = beside.submit(lambda: [_lexical(desk, query.text, depth, asked) for query in queries])
        by_meaning = _dense(desk, queries, depth, asked) if "dense" in asked.legs else [[] for _ in queries]
        nearest = [hits[0][1] if hits else 0.0 for hits in by_meaning]
        weights = followups.weights(queries, nearest) if any(by_meaning) else [1.0] * len(queries)
        scores: dict[str, float] = {}
        for weight, words, meaning in zip(weights, by_words.result(), by_meaning, strict=True):
            _add(scores, weight, words)
            _add(scores, weight, _normalised(meaning, depth))
    return scores, followups.in_context(queries, nearest)


def _dense(desk: Desk, queries: Sequence[Query], depth: int, asked: _Asked) -> list[list[tuple[str, float]]]:
    knowledge = desk.knowledge
    versions = documents.active_versions(desk.database, asked.collection) if asked.collection else None
    vectors = knowledge.embeddings.embed_documents([query.text for query in queries])
    return knowledge.nearest(vectors, depth, versions, unseen_versions(desk.database))


def _lexical(desk: Desk, query: str, depth: int, asked: _Asked) -> dict[str, float]:
    """The words and phrases of a query as one score a chunk; in company of the dense leg, as far as they cover it."""
    scores: dict[str, float] = {}
    hits: dict[Form, list[tuple[str, float]]] = {}
    with db.reading(desk.database) as connection:
        for form, weight in ((form, weight) for leg in asked.legs for form, weight in FORMS.get(leg, {}).items()):
            hits[form] = lexical.hits(connection, query, depth, asked.collection, form)
            _add(scores, weight, _normalised(hits[form], depth))
        if "dense" not in asked.legs or not hits.get("words"):
            return scores
        trust = lexical.coverage(connection, query, hits["words"][0][0]) ** 0.5
    return {chunk_id: trust * score for chunk_id, score in scores.items()}


def _add(scores: dict[str, float], weight: float, more: dict[str, float]) -> None:
    for chunk_id, score in more.items():
        scores[chunk_id] = scores.get(chunk_id, 0.0) + weight * score


def _normalised(hits: Sequence[tuple[str, float]], depth: int) -> dict[str, float]:
    """z-scores, moved so that a chunk that the leg did not find counts zero. A leg that found fewer than it was asked
    for found nothing in all others: they score zero, so that the only chunk with a rare word stands out."""
    if not hits:
        return {}
    values = [score for _, score in hits] + [0.0] * (depth - len(hits))
    spread = statistics.pstdev(values) or 1.0
    lowest = min(values)
    return {chunk_id: (score - lowest) / spread for chunk_id, score in hits}


def _passages(engine: sa.Engine, scores: dict[str, float], most: int) -> list[tuple[Passage, bytes]]:
    """The best chunks as passages with their signatures, best first. Only those of active and valid versions: this is
    where old, removed and expired text is stopped."""
    table, document = db.chunks.c, db.documents.c
    best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:most]
    query = (
        sa.select(*table, document.path)
        .join(db.documents, document.active_version_id == table.version_id)
        .where(table.chunk_id.in_(best))
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


def _reranked(desk: Desk, query: str, ranked: list[tuple[Passage, bytes]]) -> list[tuple[Passage, bytes]]:
    """The best passages in the order that a cross-encoder gives them; the others are left out."""
    head = ranked[:RERANKED]
    texts = [f"{passage.title} > {passage.heading}\n{passage.text}" for passage, _ in head]
    scores = model.rerank(desk.settings, query, texts) if head else []
    scored = [
        (replace(passage, score=round(score, 4)), mark) for (passage, mark), score in zip(head, scores, strict=True)
    ]
    return sorted(scored, key=lambda one: -one[0].score)


def _different(ranked: Sequence[tuple[Passage, bytes]], k: int, copies: bool) -> list[Passage]:
    """The first `k` that say something different, and not all from one place."""
    kept: list[tuple[Passage, bytes]] = []
    for passage, signature in _spread(ranked):
        others = [mark for other, mark in kept if not copies or other.document == passage.document]
        if not any(likeness.alike(signature, mark) for mark in others):
            kept.append((passage, signature))
        if len(kept) == k:
            break
    return [passage for passage, _ in kept]


def _spread(ranked: Sequence[tuple[Passage, bytes]]) -> list[tuple[Passage, bytes]]:
    """The passages with those put back that come from a section which already has its share."""
    had: dict[tuple[str, str, int | None], int] = {}
    places = []
    for at, (passage, _) in enumerate(ranked):
        section = (passage.document, passage.heading, passage.page)
        had[section] = had.get(section, 0) + 1
        too_many = max(0, had[section] - FROM_ONE_SECTION)
        # a cross-encoder's scores may be negative: then the lowest is what nothing is left of
        lowest = min(0.0, ranked[-1][0].score)
        places.append((-(passage.score - lowest) * CROWDED**too_many, at))
    return [ranked[at] for _, at in sorted(places)]
