"""Do the passages found hold enough to answer the question, and which of their sentences matter?

The score is a logistic blend of how near the best sentence is to the question (cosine of embeddings) and how much of
the question's meaning (its words, the rarer the weightier) stands in the best passages. The weights were fitted on
public question sets with unanswerable halves; LOG.md in this folder has the tries.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bot import lexical, sentences
from bot.desk import Desk
from bot.records import Passage

WORD_BUDGET = 100
BESIDE_THE_POINT = 0.05
BLEND = {"bias": -5.21, "cosine": 10.0, "coverage": 0.5}


@dataclass(frozen=True)
class Evidence:
    """`score` in 0..1 says how likely the passages answer the question; `excerpts` are the passages cut down to the
    sentences that matter, most promising first; `best` is the best sentence with its passage; `sentences` has the score
    of every (chunk id, sentence)."""

    score: float
    features: dict[str, float]
    excerpts: tuple[Passage, ...]
    best: tuple[Passage, str] | None
    sentences: dict[tuple[str, str], float] = field(default_factory=dict)

    def speaks_to_the_question(self, passage: Passage, sentence: str) -> bool:
        """Whether a sentence of a passage is about as near to the question as the best one. What is true but beside
        the point is no answer."""
        nearest = max(self.sentences.values(), default=0.0)
        return self.sentences.get((passage.chunk_id, sentence), 0.0) >= nearest - BESIDE_THE_POINT


@dataclass(frozen=True)
class _Unit:
    passage: Passage
    position: int
    text: str
    score: float


def weigh(desk: Desk, queries: Sequence[str], passages: Sequence[Passage]) -> Evidence:
    """Judge the passages for a question, given as what was searched for: the question, and in a conversation also the
    question in its context. A follow-up must be near in both. Raises `ModelUnavailable` where the model does not
    answer."""
    pieces = [(p, i, text) for p in passages for i, text in enumerate(sentences.split(p.text))]
    if not pieces:
        return Evidence(0.0, {}, (), None)
    cosines = _cosines(desk, queries, [f"{p.title} - {p.heading}: {text}" for p, _, text in pieces])
    weights = _weights(desk, queries[-1])
    units = [
        _Unit(p, i, text, float(cosine) + 0.4 * _coverage(weights, f"{p.title} {p.heading} {text}"))
        for (p, i, text), cosine in zip(pieces, cosines, strict=True)
    ]
    best = max(units, key=lambda unit: unit.score)
    scores = {(unit.passage.chunk_id, unit.text): unit.score for unit in units}
    features = {
        "cosine": float(max(cosines)),
        "coverage": max(_coverage(weights, f"{p.title} {p.heading} {p.text}") for p in passages),
    }
    blend = BLEND["bias"] + sum(BLEND[name] * value for name, value in features.items())
    return Evidence(1 / (1 + math.exp(-blend)), features, _excerpts(units), (best.passage, best.text), scores)


def _cosines(desk: Desk, queries: Sequence[str], texts: list[str]) -> np.ndarray:
    vectors = np.array(desk.embeddings.embed_documents([*queries, *texts]))
    asked, there = vectors[: len(queries)], vectors[len(queries) :]
    cosines: np.ndarray = (there @ asked.T).mean(axis=1)
    return cosines


def _weights(desk: Desk, question: str) -> dict[str, float]:
    """How much each stem of the question says: its inverse document frequency."""
    terms = list(dict.fromkeys(lexical.content_words(question)))
    found, total = lexical.frequencies(desk.database, terms)
    return {lexical.stem(term): math.log((total + 1) / (found[term] + 0.5)) for term in terms}


def _coverage(weights: dict[str, float], text: str) -> float:
    there = set(lexical.stems(text))
    whole = sum(weights.values())
    return sum(weight for stem, weight in weights.items() if stem in there) / whole if whole > 0 else 0.0


def _excerpts(units: Sequence[_Unit]) -> tuple[Passage, ...]:
    """The best sentences with their neighbours, in reading order within each passage, up to the word budget."""
    by_place = {(unit.passage.chunk_id, unit.position): unit for unit in units}
    chosen: dict[tuple[str, int], _Unit] = {}
    spent = 0
    for unit in sorted(units, key=lambda one: -one.score):
        for step in (0, 1, -1):
            place = (unit.passage.chunk_id, unit.position + step)
            if place in by_place and place not in chosen and spent < WORD_BUDGET:
                chosen[place] = by_place[place]
                spent += len(by_place[place].text.split())
    order = list(dict.fromkeys(chunk_id for chunk_id, _ in chosen))
    return tuple(_excerpt([unit for (chunk, _), unit in chosen.items() if chunk == chunk_id]) for chunk_id in order)


def _excerpt(units: list[_Unit]) -> Passage:
    units = sorted(units, key=lambda unit: unit.position)
    text = units[0].text
    for before, unit in itertools.pairwise(units):
        text += (" " if unit.position == before.position + 1 else " … ") + unit.text
    return replace(units[0].passage, text=text)
