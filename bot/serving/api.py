"""The model server's routes: OpenAI's for chat, embeddings and models, vLLM's for adapters. API key on every one.

Here requests are only translated; the work is done by the engine and the embedder that the app is given.
"""

import argparse
import base64
import gc
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import torch
import uvicorn
from fastapi import APIRouter, FastAPI, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp
from transformers.utils.logging import disable_progress_bar

from bot import db, indexes
from bot.errors import FrontdeskError, ModelMissing
from bot.log import get_log, set_up_logging
from bot.priority import BACKGROUND, HEADER
from bot.serving.chat import Chat
from bot.serving.embeddings import Embedder
from bot.serving.engine import Engine
from bot.serving.gate import Gate
from bot.serving.lanes import cores
from bot.serving.metrics import Metrics
from bot.serving.problems import answer_problems
from bot.serving.refusals import UnknownModel
from bot.serving.rerank import rerank_route
from bot.serving.weights import locate
from bot.serving.wire import ChatBody, EmbeddingsBody, Json, LoadAdapterBody, UnloadAdapterBody, model_card
from bot.settings import Settings, load_settings

log = get_log(__name__)


def create_app(
    engine: Engine, embedders: Mapping[str, Embedder], api_key: str, more: Sequence[APIRouter] = ()
) -> ASGIApp:
    """The server as an ASGI application; the embedding models by the names under which they are asked for, and `more`
    routes."""
    metrics = Metrics(engine)
    app = FastAPI(title="Frontdesk model server", docs_url=None, redoc_url=None)
    answer_problems(app)
    routes = [
        _chat_route(engine, metrics),
        _models_routes(engine),
        _embeddings_route(embedders),
        _watch_routes(metrics),
        *more,
    ]
    for router in routes:
        app.include_router(router)
    paths = {getattr(route, "path", "") for router in routes for route in router.routes}
    return metrics.counting(Gate(app, api_key), paths)


def _chat_route(engine: Engine, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def chat(request: Request, body: ChatBody, priority: Annotated[str, Header(alias=HEADER)] = "") -> Response:
        return await Chat(engine, metrics, body, priority == BACKGROUND).answer(request)

    return router


def _models_routes(engine: Engine) -> APIRouter:
    router = APIRouter(prefix="/v1")
    started = int(time.time())

    @router.get("/models")
    async def models() -> Json:
        cards = [model_card(engine.name, str(engine.folder), None, started)]
        cards += [model_card(name, str(path), engine.name, started) for name, path in engine.adapters().items()]
        return {"object": "list", "data": cards}

    @router.post("/load_lora_adapter")
    async def load(body: LoadAdapterBody) -> PlainTextResponse:
        await run_in_threadpool(engine.load_adapter, body.lora_name, Path(body.lora_path))
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    @router.post("/unload_lora_adapter")
    async def unload(body: UnloadAdapterBody) -> PlainTextResponse:
        await run_in_threadpool(engine.unload_adapter, body.lora_name)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")

    return router


def _embeddings_route(embedders: Mapping[str, Embedder]) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/embeddings")
    async def embeddings(body: EmbeddingsBody, priority: Annotated[str, Header(alias=HEADER)] = "") -> Json:
        if body.model not in embedders:
            names = ", ".join(f"'{name}'" for name in embedders)
            raise UnknownModel(f"The embedding model '{body.model}' does not exist; this server has {names}.")
        found = await embedders[body.model].embed_soon(body.texts, priority == BACKGROUND)
        whole = body.encoding_format == "float"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": vector.tolist() if whole else base64.b64encode(vector.tobytes()).decode(),
            }
            for index, vector in enumerate(found.vectors)
        ]
        counts = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
        return {"object": "list", "data": data, "model": body.model, "usage": counts}

    return router


def _watch_routes(metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> Json:
        return {"status": "ok"}

    @router.get("/metrics")
    async def figures() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    return router


def load_embedders(settings: Settings) -> dict[str, Embedder]:
    """The embedding model of the settings, and, while an index is being rebuilt for it, the one that still answers.

    Raises `ModelMissing` where the weights of the first are not on this machine.
    """
    folders = {settings.embedding_model: locate(settings.embedding_model, settings)}
    for name in _models_in_use(settings):
        try:
            folders.setdefault(name, locate(name, settings))
        except ModelMissing as error:
            log.warning("what was embedded with a model cannot be searched", model=name, reason=str(error))
    return {name: Embedder.load(name, folder, settings.models) for name, folder in folders.items()}


def _models_in_use(settings: Settings) -> list[str]:
    engine = db.connect(settings.database)
    try:
        return [index.embedding_model for index in indexes.every(engine)] if db.is_current(engine) else []
    except sa.exc.OperationalError as error:  # the records may still be on their way up
        log.warning("the indexes are not known yet", reason=str(error))
        return []
    finally:
        engine.dispose()


def serve(settings: Settings, host: str, port: int) -> None:
    """Load all models and answer until stopped; the port opens when everything is ready."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # a log is no terminal
    torch.set_num_threads(cores())
    engine = Engine.load(settings.model, locate(settings.model, settings), settings.model_weights == "int8")
    engine.warm_up()
    key = settings.model_api_key.get_secret_value()
    app = create_app(engine, load_embedders(settings), key, [rerank_route(settings)])
    _freeze_models()
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)


def _freeze_models() -> None:
    """Keep the garbage collector from what stays: else each full collection walks through all of the models' objects
    and stops everybody for half a second."""
    gc.collect()
    gc.freeze()
    gc.collect()  # when the next full one comes depends on how much this one finds, which is now little


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m bot.serving.api --host 127.0.0.1 --port 8080`; 1 with a sentence when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m bot.serving.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    chosen = parser.parse_args(arguments)
    set_up_logging()
    try:
        serve(load_settings(), chosen.host, chosen.port)
    except FrontdeskError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
