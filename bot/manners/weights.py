"""What the classifiers of manners have learned: a softmax over the topics, on the embedding of a question.

A question's likelihood of being out of scope is the sum over the topics that are; the same for the other two. Weights
fit one embedding model only: those that ship were made with the default one, others lie in the preferences.
"""

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from bot import preferences
from bot.manners.rows import Topic
from bot.records import Manner

PREFERENCE = "manners"
SHIPPED = Path(__file__).with_name("weights.jsonl")
DIGITS = 2  # of a weight: more change no likelihood by a hundredth

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """How well one of the three is told, on texts whose templates were held out. `kind` is scope, sentiment or urgency;
    `recall` the share of what should be noticed that is, `false_alarms` the share of all others that is, too."""

    kind: str
    texts: int
    recall: float
    false_alarms: float
    precision: float


@dataclass(frozen=True, eq=False)
class Weights:
    """`matrix` (topics x dimensions) and `offsets` (topics) of the softmax; `model` is the embedding model's name."""

    model: str
    labels: int
    scores: tuple[Score, ...]
    topics: tuple[Topic, ...]
    matrix: Floats
    offsets: Floats

    def shares(self, vectors: Floats) -> Floats:
        """The probability of every topic for every vector: n x topics."""
        logits = vectors @ self.matrix.T + self.offsets
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def manners(self, vectors: Sequence[Sequence[float]]) -> list[Manner]:
        """How the questions with these embeddings are meant."""
        shares = self.shares(np.asarray(vectors, np.float32))
        likelihoods = [self.likelihood(kind, shares) for kind in NOTICED]
        return [Manner(*(round(float(one), 4) for one in three)) for three in zip(*likelihoods, strict=True)]

    def likelihood(self, kind: str, shares: Floats) -> Floats:
        """The sum over the topics where `kind` has the value that should be noticed: n."""
        noticed = [getattr(topic, kind) == NOTICED[kind] for topic in self.topics]
        return np.asarray(shares[:, noticed].sum(axis=1), np.float32)


# what is to be noticed, in the order of the fields of `Manner`
NOTICED = {"scope": "out", "sentiment": "upset", "urgency": "urgent"}


def in_use(engine: sa.Engine, model: str) -> Weights | None:
    """The weights for an embedding model: those learned here, else those that ship, else None."""
    stored = preferences.get(engine, PREFERENCE)
    if stored and stored["model"] == model:
        return _read(stored["head"], stored["topics"])
    return shipped() if shipped().model == model else None


def keep(engine: sa.Engine, weights: Weights, author: str) -> None:
    """Use these weights from now on."""
    head, *topics = _written(weights)
    preferences.put(engine, PREFERENCE, {"model": weights.model, "head": head, "topics": topics}, author)


@functools.cache
def shipped() -> Weights:
    """The weights that come along."""
    head, *topics = map(json.loads, SHIPPED.read_text(encoding="utf-8").splitlines())
    return _read(head, topics)


def ship(weights: Weights) -> None:
    """Write the weights that come along: a line about them, and a line for every topic."""
    SHIPPED.write_text("".join(f"{json.dumps(line)}\n" for line in _written(weights)), encoding="utf-8")


def _written(weights: Weights) -> list[dict[str, Any]]:
    head = {"model": weights.model, "labels": weights.labels, "scores": [asdict(score) for score in weights.scores]}
    lines = zip(weights.topics, weights.offsets, weights.matrix, strict=True)
    return [
        head,
        *({**asdict(topic), "offset": _rounded([offset])[0], "weights": _rounded(row)} for topic, offset, row in lines),
    ]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def _read(head: dict[str, Any], lines: list[dict[str, Any]]) -> Weights:
    return Weights(
        head["model"],
        head["labels"],
        tuple(Score(**score) for score in head["scores"]),
        tuple(Topic(line["topic"], line["scope"], line["sentiment"], line["urgency"]) for line in lines),
        np.array([line["weights"] for line in lines], np.float32),
        np.array([line["offset"] for line in lines], np.float32),
    )
