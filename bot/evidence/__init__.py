"""Do the passages found hold enough to answer the question, and which of their sentences matter?

Every sentence is ranked by how surely a reader finds the answer in it, by how near it is to the question (cosine of
embeddings), by how much of the question's words stand in it, in the sentence before it and in its passage, and by
whether it holds the kind of thing that is asked for.
Those about as near as the best are what the model reads. `confidence` turns what was seen on the way into a
probability. `bot/LOG.md` has the tries.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor
from numpy.typing import NDArray
from pydantic import ConfigDict

from bot import lexical, reading, sentences
from bot.desk import Desk
from bot.evidence import asked, calibrated, cells, signs
from bot.evidence.asked import Asked
from bot.evidence.signs import Unit
from bot.reading import Reading
from bot.records import Passage

WORD_BUDGET = 100
BESIDE_THE_POINT = 0.05  # behind the best sentence; what is neither read nor said
# What ranks a sentence, each 0..1, weighed against its cosine; searched on squad2, emanual, clapnq and the sample.
WEIGHTS = {
    "reads": 0.5,
    "cosine": 1.0,
    "best_in_passage": 0.3,
    "coverage": 0.25,
    "own_coverage": 0.25,
    "coverage_with_before": 0.5,
    "pairs": 0.2,
    "kind": 0.15,
    "found": 0.4,
    "is_question": -0.15,
    "orders_an_answer": -0.3,
}
# A sentence about the answer that is being given tells a customer nothing; hidden instructions are such.
_ORDERS_AN_ANSWER = re.compile(r"\b(?:your|this|the next) (?:\w+ )?(?:answer|reply|response|message|output)s?\b", re.I)


class Judged(NamedTuple):
    """A sentence's score, on the scale of cosines, and the words of it that answer, if any do."""

    score: float
    words: str = ""


@dataclass(frozen=True)
class Evidence:
    """`score` in 0..1 is the probability that the passages answer the question; `excerpts` are the passages cut down to
    the sentences that matter, most promising first; `best` is the best sentence with its passage; `sentences` has every
    (chunk id, sentence), judged; `question` is what it was judged for."""

    score: float
    features: dict[str, float]
    excerpts: tuple[Passage, ...]
    best: tuple[Passage, str] | None
    sentences: dict[tuple[str, str], Judged] = field(default_factory=dict)
    question: Asked | None = None

    def speaks_to_the_question(self, passage: Passage, sentence: str) -> bool:
        """Whether a sentence of a passage is about as near to the question as the best one. What is true but beside
        the point is no answer."""
        return self.behind(passage.chunk_id, sentence) <= BESIDE_THE_POINT

    def behind(self, chunk_id: str, sentence: str) -> float:
        """By how much a sentence of a passage, or the best of several that stand together, is worse than the best."""
        nearest = max((one.score for one in self.sentences.values()), default=0.0)
        return nearest - self._quoted(chunk_id, sentence).score

    def words_in(self, chunk_id: str, sentence: str) -> str:
        """The words that answer in a sentence of a passage, or in the best of several that stand together."""
        return self._quoted(chunk_id, sentence).words

    def _quoted(self, chunk_id: str, sentence: str) -> Judged:
        quoted = [one for (chunk, text), one in self.sentences.items() if chunk == chunk_id and text in sentence]
        return max(quoted, default=Judged(0.0))


class SentencesThatMatter(BaseDocumentCompressor):
    """`weigh` as a LangChain compressor, for any retriever whose documents hold their `Passage` under "passage" (ours
    does). What comes back has the excerpt's text, the passage cut down to it, and the evidence's score."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    desk: Desk

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The sentences that matter for the query, in reading order within each document, at most `WORD_BUDGET` words
        and the sentence that exceeds them. Raises `ModelUnavailable` where the embedding model does not answer."""
        found = weigh(self.desk, [query], [document.metadata["passage"] for document in documents])
        return [
            Document(excerpt.text, id=excerpt.chunk_id, metadata={"passage": excerpt, "evidence": found.score})
            for excerpt in found.excerpts
        ]


def weigh(desk: Desk, queries: Sequence[str], passages: Sequence[Passage]) -> Evidence:
    """Judge the passages for a question, given as what was searched for: the question, and in a conversation also the
    question in its context. A follow-up must be near in both. Raises `ModelUnavailable` where the model does not
    answer."""
    pieces = [(p, n, text) for p in passages for n, text in enumerate(sentences.split(p.text))]
    if not pieces:
        return Evidence(0.0, {}, (), None)
    vectors = np.array(desk.embeddings.embed_documents([*queries, *(p.placed(text) for p, _, text in pieces)]))
    cosines = (vectors[len(queries) :] @ vectors[: len(queries)].T).mean(axis=1)
    read = [one for some in reading.read(desk.reader, queries[-1], passages) for one in some]
    question = _asked(desk, queries[-1])
    units = _units(question, passages, pieces, cosines, read)
    best = max(units, key=lambda unit: unit.score)
    features = signs.of(question, units, best)
    return Evidence(
        score=calibrated.shipped().before.probability(features),
        features=features,
        excerpts=_excerpts(units, lambda unit: cells.cut(desk.embeddings, question.text, unit.text, unit.words)),
        best=(best.passage, best.text),
        sentences={(unit.passage.chunk_id, unit.text): Judged(unit.score, unit.words) for unit in units},
        question=question,
    )


def _asked(desk: Desk, question: str) -> Asked:
    return asked.read(
        question, *lexical.frequencies(desk.database, list(dict.fromkeys(lexical.content_words(question))))
    )


def _units(
    question: Asked,
    passages: Sequence[Passage],
    pieces: Sequence[tuple[Passage, int, str]],
    cosines: NDArray[np.float64],
    read: Sequence[Reading],
) -> list[Unit]:
    """The passages' sentences, given as (passage, position, text), each with its mean cosine to what was searched for
    and what a reader finds in it."""
    nearest: dict[str, float] = {}
    for (passage, _, _), cosine in zip(pieces, cosines, strict=True):
        nearest[passage.chunk_id] = max(nearest.get(passage.chunk_id, -1.0), float(cosine))
    units: list[Unit] = []
    for (passage, position, text), cosine, found in zip(pieces, cosines, read, strict=True):
        before = units[-1].own if units and units[-1].passage is passage else ()
        own, place = tuple(lexical.stems(text)), frozenset(lexical.stems(f"{passage.title} {passage.heading}"))
        traits = {
            "reads": found.probability,
            "cosine": float(cosine),
            "best_in_passage": nearest[passage.chunk_id],
            "coverage": question.coverage(place.union(own)),
            "own_coverage": question.coverage(own),
            "coverage_with_before": question.coverage(place.union(own, before)),
            "pairs": question.pairs_in(own),
            "kind": float(question.kind_stands_in(text)),
            "found": _found(passage, passages),
            "is_question": float(text.endswith("?")),
            "orders_an_answer": float(_ORDERS_AN_ANSWER.search(text) is not None),
        }
        score = sum(WEIGHTS[name] * value for name, value in traits.items())
        units.append(Unit(passage, position, text, score, traits, own, found.words))
    return units


def _found(passage: Passage, passages: Sequence[Passage]) -> float:
    """How high the search ranked a passage, as a share of the first one's score."""
    first = passages[0].score
    return max(0.0, min(1.0, passage.score / first)) if first > 0 else 1 / (1 + passages.index(passage))


def _excerpts(units: Sequence[Unit], shown: Callable[[Unit], str]) -> tuple[Passage, ...]:
    """The sentences that are about as near to the question as the best one, as they are `shown`, in reading order
    within each passage, up to the word budget: what else is said would be dropped as beside the point, so nothing else
    is read."""
    ranked = sorted(units, key=lambda one: -one.score)
    chosen: list[Unit] = []
    for unit in ranked:
        if ranked[0].score - unit.score > BESIDE_THE_POINT or sum(map(_words, chosen)) >= WORD_BUDGET:
            break
        chosen.append(unit)
    order = dict.fromkeys(unit.passage.chunk_id for unit in chosen)
    return tuple(_excerpt([unit for unit in chosen if unit.passage.chunk_id == chunk_id], shown) for chunk_id in order)


def _words(unit: Unit) -> int:
    return len(unit.text.split())


def _excerpt(units: list[Unit], shown: Callable[[Unit], str]) -> Passage:
    units = sorted(units, key=lambda unit: unit.position)
    text = shown(units[0])
    for before, unit in itertools.pairwise(units):
        text += (" " if unit.position == before.position + 1 else " … ") + shown(unit)
    return replace(units[0].passage, text=text)
