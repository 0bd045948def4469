"""How near a text is to what reviewers approved, by embeddings.

A cosine alone says little, since what it is about weighs more than how it is said. So it is compared with how near the
approved answers are to each other: an answer that is as near to its neighbours as half of them are, is near enough.
"""

from collections.abc import Sequence

import numpy as np
from langchain_core.embeddings import Embeddings

from bot import sentences
from bot.style.parts import Part

NEIGHBOURS = 3
LEAST_APPROVED = 4  # fewer say nothing of how near approved answers are to each other


class Approved:
    """Approved answers and their vectors, made once."""

    def __init__(self, embeddings: Embeddings, answers: Sequence[str]) -> None:
        self._embeddings = embeddings
        texts = [sentences.without_markers(text) for text in dict.fromkeys(answers)]
        self._vectors = np.array(embeddings.embed_documents(texts))
        cosines = self._vectors @ self._vectors.T
        np.fill_diagonal(cosines, -1.0)
        self._usual = float(np.median([_nearest(row) for row in cosines]))

    @classmethod
    def of(cls, embeddings: Embeddings, answers: Sequence[str]) -> "Approved | None":
        """None where too few different answers were approved."""
        return cls(embeddings, answers) if len(set(answers)) >= LEAST_APPROVED else None

    def closeness(self, text: str) -> Part:
        """1 where a text is as near to approved answers as they usually are to each other, else in proportion."""
        cosine = _nearest(self._vectors @ np.array(self._embeddings.embed_query(text)))
        value = min(1.0, max(0.0, cosine / self._usual)) if self._usual > 0 else 0.0
        return Part(value, f"Cosine {cosine:.2f} to its nearest approved answers; among themselves {self._usual:.2f}.")


def _nearest(cosines: np.ndarray) -> float:
    return float(np.sort(cosines)[-NEIGHBOURS:].mean())
