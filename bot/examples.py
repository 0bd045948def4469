"""Approved answers as examples for the prompt (few-shot), chosen by how near their question is to the one asked.

An example shows the model what a reviewer approved: the question, the sentences that support the answer, and the answer
with the markers of those sentences. The selector is LangChain's, over vectors in memory, and follows the approvals.
"""

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from langchain_core.embeddings import Embeddings
from langchain_core.example_selectors import SemanticSimilarityExampleSelector
from langchain_core.vectorstores import InMemoryVectorStore

from bot import feedback, ground, sentences
from bot.records import Feedback, Passage

LONGEST_WORDS = 80  # of passages and answer together: an example costs the customer time before the first word


@dataclass(frozen=True)
class Example:
    """An approved answer with what supports it. The markers `[n]` in `answer` number `passages` from 1."""

    feedback_id: int
    question: str
    answer: str
    passages: tuple[Passage, ...]


@dataclass
class _Shelf:
    """The examples of one database, with their vectors. Rebuilt when other rows are approved."""

    digest: str = ""
    embeddings: Embeddings | None = None
    examples: dict[int, Example] = field(default_factory=dict)
    vectors: InMemoryVectorStore | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_shelves: weakref.WeakKeyDictionary[sa.Engine, _Shelf] = weakref.WeakKeyDictionary()


def choose(engine: sa.Engine, embeddings: Embeddings, question: str, k: int) -> tuple[Example, ...]:
    """The `k` approved answers whose questions are nearest, the nearest last, where a model looks most.

    Raises `ModelUnavailable` where the embedding model does not answer; with `k` 0 it is not asked.
    """
    if k == 0:
        return ()
    shelf = _shelves.setdefault(engine, _Shelf())
    with shelf.lock:
        _refresh(shelf, engine, embeddings)
        examples, vectors = shelf.examples, shelf.vectors
    if not examples or vectors is None:
        return ()
    selector = SemanticSimilarityExampleSelector(vectorstore=vectors, k=k, input_keys=["question"])
    chosen = selector.select_examples({"question": question})
    return tuple(examples[one["feedback_id"]] for one in reversed(chosen))


def example(row: Feedback) -> Example | None:
    """An approved row as an example, or None where it is too long, or says what no passage of its supports."""
    quotes: dict[str, list[str]] = {}
    by_id = {passage.chunk_id: passage for passage in row.evidence}
    said = []
    for sentence in sentences.split(row.rewrite):
        support = ground.support(sentence, row.evidence, cited=sentences.markers(sentence))
        if support is None:
            said.append((sentences.without_markers(sentence), 0))
            continue
        found = quotes.setdefault(support.passage.chunk_id, [])
        if support.quote not in found:
            found.append(support.quote)
        said.append((sentences.without_markers(sentence), list(quotes).index(support.passage.chunk_id) + 1))
    passages = tuple(replace(by_id[chunk], text=_in_order(by_id[chunk].text, texts)) for chunk, texts in quotes.items())
    answer = " ".join(marked(sentence, n) for sentence, n in said)
    words = sum(len(text.split()) for text in (answer, *(passage.text for passage in passages)))
    if not passages or words > LONGEST_WORDS or ground.unsupported(answer, passages):
        return None
    return Example(row.feedback_id, row.question, answer, passages)


def marked(sentence: str, n: int) -> str:
    """A sentence with the marker of its passage before the full stop; with 0 it has none."""
    body = sentence.rstrip(".!?…")
    return f"{body} [{n}]{sentence[len(body) :]}" if n else sentence


def _refresh(shelf: _Shelf, engine: sa.Engine, embeddings: Embeddings) -> None:
    digest = feedback.digest(engine)
    if shelf.digest == digest and shelf.embeddings is embeddings:
        return
    found = [one for one in map(example, feedback.trainable(engine)) if one]
    vectors = InMemoryVectorStore(embeddings)
    vectors.add_texts([one.question for one in found], [{"feedback_id": one.feedback_id} for one in found])
    shelf.examples, shelf.vectors = {one.feedback_id: one for one in found}, vectors
    shelf.digest, shelf.embeddings = digest, embeddings


def _in_order(text: str, quotes: Sequence[str]) -> str:
    return " … ".join(sorted(quotes, key=text.find))
