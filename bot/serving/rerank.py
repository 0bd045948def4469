"""A cross-encoder at work, if the settings name one: how well each document answers a query (Nogueira & Cho 2019).

The route is Cohere's and vLLM's, so that either server will do. The weights are read when they are first asked for.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from bot.serving.refusals import UnknownModel
from bot.serving.weights import locate
from bot.serving.wire import Body, Json
from bot.settings import Settings

MAX_DOCUMENTS = 100
BATCH = 16


class RerankBody(Body):
    """The body of /v1/rerank."""

    model: str
    query: str
    documents: Annotated[list[str], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class Reranker:
    """A sentence-transformers CrossEncoder by its folder. Any thread may call it; they take turns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._encoder: Any = None

    def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """How well each document answers the query, higher is better."""
        with self._lock:
            if self._encoder is None:
                from sentence_transformers import CrossEncoder  # large, and mostly not needed

                self._encoder = CrossEncoder(str(self._folder), trust_remote_code=False)
            pairs = [(query, document) for document in documents]
            return [float(score) for score in self._encoder.predict(pairs, batch_size=BATCH, show_progress_bar=False)]


def rerank_route(settings: Settings) -> APIRouter:
    """The route; it refuses every model but that of the settings. Raises `ModelMissing` where its weights are not on
    this machine."""
    router = APIRouter()
    name = settings.reranker
    reranker = Reranker(locate(name, settings)) if name else None

    @router.post("/v1/rerank")
    async def rerank(body: RerankBody) -> Json:
        if reranker is None or body.model != name:
            there = f"this server has '{name}'" if name else "this server has none; name one in FRONTDESK_RERANKER"
            raise UnknownModel(f"The reranker '{body.model}' does not exist; {there}.")
        scores = await run_in_threadpool(reranker.scores, body.query, body.documents)
        ranked = sorted(range(len(scores)), key=lambda at: -scores[at])
        return {"model": name, "results": [{"index": at, "relevance_score": scores[at]} for at in ranked]}

    return router
