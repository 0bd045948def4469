"""Approved answers that close questions word for word: a reviewer pins one, a question that asks the same gets it, and
it is voided as soon as a document that it cites says something else.

`bot.sameness` decides whether two questions ask the same. This module does not search and does not speak: `bot.consult`
asks it first.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import citations as cited_versions
from bot import conversations, db, ground, sameness, sentences, vectors
from bot.errors import NotAllowed, PinRefused
from bot.records import Answer, Citation, Feedback, Passage


@dataclass(frozen=True)
class Pin:
    """An approved answer and the question that it answers. `collection` is the folder that was asked about, empty for
    everything. It answers until `voided_at`; `void_reason` is a sentence."""

    pin_id: int
    question: str
    collection: str
    text: str
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    author: str
    created_at: datetime
    voided_at: datetime | None
    void_reason: str

    @property
    def voided(self) -> bool:
        """Whether it answers no more."""
        return self.voided_at is not None


def find(
    engine: sa.Engine, vector: Sequence[float], embedding_model: str, question: str, collection: str = ""
) -> Pin | None:
    """The valid pinned answer to a question, or None. `question` must be understandable without its history, `vector`
    be its unit vector by `embedding_model`, `collection` the folder that is asked about.

    A pin for everything also answers in a folder that holds all that it cites. One whose document has changed is voided
    here and now, so that no change is ever answered over.
    """
    table = db.pinned_answers.c
    query = sa.select(table.pin_id, table.question, table.vector).where(
        table.voided_at.is_(None), table.embedding_model == embedding_model, table.collection.in_({collection, ""})
    )
    rows = db.rows(engine, query)
    if not rows:
        return None
    cosines = vectors.matrix(rows) @ np.array(vector, np.float32)
    for place in np.argsort(-cosines):
        if cosines[place] < sameness.LEAST_COSINE:
            break
        if sameness.asks_the_same(rows[place].question, question, float(cosines[place])):
            pin = get(engine, rows[place].pin_id)
            if _covers(pin, collection) and not _void_changed(engine, [pin]):
                return pin
    return None


def pin(
    engine: sa.Engine, embeddings: Embeddings, embedding_model: str, item: Feedback, author: str, question: str = ""
) -> Pin:
    """Let an approved item answer its question, or `question` where that must be put so that it is understood alone,
    from now on. Pinning another answer to the same words replaces the earlier one.

    Raises `PinRefused` where the item is not approved, or where a sentence of it does not stand in the documents as
    they are today; `ModelUnavailable`.
    """
    asked = " ".join((question or item.question).split())
    if item.state != "approved":
        raise PinRefused("Only an approved answer can be pinned; approve it first.")
    given = _given(engine, item.answer_id)
    text, citations, passages = _standing(engine, embeddings, item, given)
    collection = str(given.parameters.get("collection", "")) if given else ""
    row = {"question": asked, "collection": collection, "text": text, "author": author, "created_at": db.now()}
    row |= {"citations": [asdict(one) for one in citations], "passages": [asdict(one) for one in passages]}
    row |= {"vector": vectors.stored(embeddings.embed_query(asked)), "embedding_model": embedding_model}
    table = db.pinned_answers.c
    with db.writing(engine) as connection:
        same = (sa.func.lower(table.question) == asked.lower()) & (table.collection == collection)
        _void(connection, same, "Another answer to this question was pinned.")
        pin_id = db.new_id(connection.execute(sa.insert(db.pinned_answers).values(**row)))
    return get(engine, pin_id)


def unpin(engine: sa.Engine, pin_id: int, author: str) -> None:
    """Let a pinned answer answer no more."""
    with db.writing(engine) as connection:
        _void(connection, db.pinned_answers.c.pin_id == pin_id, f"Unpinned by {author}.")


def get(engine: sa.Engine, pin_id: int) -> Pin:
    """One pinned answer. Its citations name their documents as they are called today."""
    found = _pins(engine, sa.select(db.pinned_answers).where(db.pinned_answers.c.pin_id == pin_id))
    if not found:
        raise NotAllowed(f"There is no pinned answer {pin_id}.")
    return found[0]


def listing(engine: sa.Engine) -> list[Pin]:
    """Every pinned answer, the newest first; those whose documents have changed are voided first."""
    void_changed(engine)
    return _pins(engine, sa.select(db.pinned_answers).order_by(db.pinned_answers.c.pin_id.desc()))


def void_changed(engine: sa.Engine) -> list[Pin]:
    """Void every pinned answer whose documents say something else today; return those."""
    return _void_changed(
        engine, _pins(engine, sa.select(db.pinned_answers).where(db.pinned_answers.c.voided_at.is_(None)))
    )


def says_the_same(pin: Pin, item: Feedback) -> bool:
    """Whether a pinned answer is this approved item, word for word."""
    return sentences.without_markers(pin.text) == sentences.without_markers(item.rewrite or item.answer)


def _standing(
    engine: sa.Engine, embeddings: Embeddings, item: Feedback, given: Answer | None
) -> tuple[str, list[Citation], list[Passage]]:
    """The approved text with a marker on each sentence that claims something, its citations, and the passages of the
    documents as they are today that these stand in."""
    text = item.rewrite or item.answer
    if beyond := ground.unsupported(text, item.evidence, embeddings):
        raise PinRefused(f"It cannot be pinned: the documents do not say “{beyond[0]}”.")
    citations: list[Citation] = []
    passages: dict[str, Passage] = {}
    marked, end = "", 0
    for start, stop in sentences.places(text):
        sentence = text[start:stop]
        said = sentences.without_markers(sentence)
        support = ground.support(sentence, item.evidence, _cited(sentence, item, given), embeddings)
        if support:
            citation, passage = _citation(engine, support, citations)
            passages[passage.chunk_id] = passage
            citations += [citation] if citation not in citations else []
            said = sentences.with_marker(said, citation.n)
        marked, end = f"{marked}{text[end:start]}{said}", stop
    if not citations:
        raise PinRefused("It cannot be pinned: it says nothing that stands in a document.")
    return marked, citations, list(passages.values())


def _citation(engine: sa.Engine, support: ground.Support, known: Sequence[Citation]) -> tuple[Citation, Passage]:
    """Where a quote stands today; as it is among the known ones, if it is."""
    passage = _today(engine, support)
    for citation in known:
        if (citation.chunk_id, citation.quote) == (passage.chunk_id, support.quote):
            return citation, passage
    place = {
        name: getattr(passage, name) for name in ("document", "title", "page", "heading", "chunk_id", "version_id")
    }
    return Citation(n=len(known) + 1, quote=support.quote, **place), passage


def _today(engine: sa.Engine, support: ground.Support) -> Passage:
    """The passage of an answering document that holds the quote: the one that supported it, if it still answers."""
    table, document = db.chunks.c, db.documents.c
    query = (
        sa.select(*(table[name] for name in ("chunk_id", "version_id", "title", "heading", "page", "text")))
        .add_columns(document.path.label("document"))
        .join(db.documents, document.active_version_id == table.version_id)
        .where(_valid(), table.text.contains(support.quote, autoescape=True))
    )
    found = [row for row in db.rows(engine, query) if support.quote in row.text]
    if not found:
        raise PinRefused(f"It cannot be pinned: no document says “{support.quote}” any more.")
    one = support.passage
    name = one.document.rpartition("/")[2]
    best = max(found, key=lambda row: (row.chunk_id == one.chunk_id, row.document.rpartition("/")[2] == name))
    return Passage(**best._mapping, score=1.0)


def _valid() -> sa.ColumnElement[bool]:
    """Whether a document answers on this day."""
    document = db.documents.c
    begun = document.valid_from.is_(None) | (document.valid_from <= db.now())
    return ~document.removed & begun & (document.valid_until.is_(None) | (document.valid_until > db.now()))


@dataclass(frozen=True)
class _Today:
    """The document of a version as it is today; `problem` says why the version does not answer."""

    path: str
    problem: str


def _documents(engine: sa.Engine, version_ids: set[int]) -> dict[int, _Today]:
    standing = cited_versions.standing(engine, version_ids)
    query = (
        sa.select(db.versions.c.version_id, db.documents.c.path, _valid().label("valid"))
        .join(db.documents, db.documents.c.document_id == db.versions.c.document_id)
        .where(db.versions.c.version_id.in_(version_ids))
    )
    today = {}
    for row in db.rows(engine, query):
        problem = {"current": "", "changed": "has changed", "removed": "was removed"}[standing[row.version_id]]
        today[row.version_id] = _Today(row.path, problem or ("" if row.valid else "is not valid today"))
    return today


def _void_changed(engine: sa.Engine, pins: Sequence[Pin]) -> list[Pin]:
    """Void those of these that cite what no document says today, and say which; return them."""
    today = _documents(engine, {citation.version_id for pin in pins for citation in pin.citations})
    voided = []
    for pin in pins:
        documents = [today.get(one.version_id, _Today(one.document, "was removed")) for one in pin.citations]
        reasons = [f"“{document.path}” {document.problem}." for document in documents if document.problem]
        if reasons:
            with db.writing(engine) as connection:
                _void(connection, db.pinned_answers.c.pin_id == pin.pin_id, reasons[0])
            voided.append(pin)
    return voided


def _void(connection: sa.Connection, which: sa.ColumnElement[bool], reason: str) -> None:
    chosen = sa.update(db.pinned_answers).where(which, db.pinned_answers.c.voided_at.is_(None))
    connection.execute(chosen.values(voided_at=db.now(), void_reason=reason))


def _covers(pin: Pin, collection: str) -> bool:
    """Whether a pin may answer what is asked about a folder."""
    folder = f"{collection.strip('/')}/"
    return pin.collection == collection or all(one.document.startswith(folder) for one in pin.citations)


def _given(engine: sa.Engine, answer_id: str) -> Answer | None:
    """The answer that was approved; the sample company's rewrites belong to none."""
    try:
        return conversations.answer(engine, answer_id)
    except NotAllowed:
        return None


def _cited(sentence: str, item: Feedback, given: Answer | None) -> list[int]:
    """Which passages of the evidence, numbered from 1, a sentence of the answer cites."""
    markers = sentences.markers(sentence)
    chunks = {citation.chunk_id for citation in given.citations if citation.n in markers} if given else set()
    return [n for n, passage in enumerate(item.evidence, start=1) if passage.chunk_id in chunks]


def _pins(engine: sa.Engine, query: sa.Select[Any]) -> list[Pin]:
    rows = db.rows(engine, query)
    today = _documents(engine, {citation["version_id"] for row in rows for citation in row.citations})
    return [_pin(row, today) for row in rows]


def _pin(row: db.Row, today: dict[int, _Today]) -> Pin:
    citations = tuple(Citation(**citation) for citation in row.citations)
    passages = tuple(Passage(**passage) for passage in row.passages)
    paths = {version_id: document.path for version_id, document in today.items()}
    return Pin(
        pin_id=row.pin_id,
        question=row.question,
        collection=row.collection,
        text=row.text,
        citations=tuple(replace(one, document=paths.get(one.version_id, one.document)) for one in citations),
        passages=tuple(replace(one, document=paths.get(one.version_id, one.document)) for one in passages),
        author=row.author,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        voided_at=None if row.voided_at is None else datetime.fromtimestamp(row.voided_at, UTC),
        void_reason=row.void_reason,
    )
