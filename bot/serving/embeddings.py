"""An embedding model at work: what people wait for in one lane, bulk work in another; the chat model stops neither."""

import asyncio
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from bot.log import get_log
from bot.serving.encoders import Embedded, Encoder, choose
from bot.serving.lanes import Lane


class Embedder:
    """Embeds texts under a model's name. Any thread may call it."""

    def __init__(self, encoder: Encoder, name: str) -> None:
        self.name = name
        self._encoder = encoder
        self._interactive = Lane("embeddings", encoder.threads, background=False)
        self._background = Lane("embeddings-background", encoder.threads, background=True)

    @classmethod
    def load(cls, name: str, folder: Path, models: Path) -> "Embedder":
        """Read the weights in `folder`, or what was made of them in `models`; the first request is as fast as any."""
        embedder = cls(choose(name, folder, models, get_log(__name__).info), name)
        for background in (False, True):
            embedder.embed(["warm-up"], background)
        return embedder

    def embed(self, texts: list[str], background: bool = False) -> Embedded:
        """Unit vectors in the order of the texts; longer texts are cut to the model's window."""
        return _together([future.result() for future in self._submit(texts, background)])

    async def embed_soon(self, texts: list[str], background: bool = False) -> Embedded:
        """`embed` without holding up the event loop."""
        futures = self._submit(texts, background)
        return _together(await asyncio.gather(*map(asyncio.wrap_future, futures)))

    def _submit(self, texts: list[str], background: bool) -> list[Future[Embedded]]:
        # small pieces, so that all the lane's threads have work and memory stays small
        size = self._encoder.texts_a_call
        pieces = [texts[start : start + size] for start in range(0, len(texts), size)]
        return (self._background if background else self._interactive).submit(self._encoder.encode, pieces)


def _together(parts: list[Embedded]) -> Embedded:
    return Embedded(np.concatenate([part.vectors for part in parts]), sum(part.tokens for part in parts))
