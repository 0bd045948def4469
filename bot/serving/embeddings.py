"""The embedding model: unit vectors of texts. It has a thread of its own and never waits for the chat model."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

BATCH_TEXTS = 32

Vectors = npt.NDArray[np.float32]


class Embedded(NamedTuple):
    """Vectors of shape (texts, dimensions), each of length 1, and how many tokens were read."""

    vectors: Vectors
    tokens: int


class Embedder:
    """Embeds texts, one batch of requests after the other."""

    def __init__(self, model: SentenceTransformer, name: str) -> None:
        self.name = name
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")

    @classmethod
    def load(cls, name: str, folder: Path) -> "Embedder":
        """Read the weights and embed one text, so that the first request is as fast as the others."""
        embedder = cls(SentenceTransformer(str(folder), trust_remote_code=False), name)
        embedder.embed(["warm-up"])
        return embedder

    def embed(self, texts: list[str]) -> Embedded:
        """Unit vectors in the order of the texts; longer texts are cut to the model's window."""
        # sentence-transformers sorts by length itself, so that a batch pads little
        vectors = self._model.encode(
            texts, batch_size=BATCH_TEXTS, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return Embedded(np.asarray(vectors, dtype=np.float32), self._count(texts))

    async def embed_soon(self, texts: list[str]) -> Embedded:
        """`embed` on the embedder's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.embed, texts)

    def _count(self, texts: list[str]) -> int:
        tokenizer = self._model.tokenizer
        return sum(len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"])
