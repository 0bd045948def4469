"""A tiny model of random weights, a model server that says one sentence, and the sample company's rewrites."""

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from langchain_core.embeddings import Embeddings

from bot import db, feedback, indexes
from bot.desk import Desk
from bot.knowledge import Collections
from bot.lexical import stems
from bot.records import Feedback
from bot.settings import Settings
from ingest import sample
from tests import tiny
from workers.style.lessons import Lesson, lesson
from workers.style.splitting import split


class WordsInABag(Embeddings):
    """Unit vectors in which texts with the same words are near: enough for choosing excerpts."""

    def embed_query(self, text: str) -> list[float]:
        vector = np.full(64, 0.01)
        for stem in stems(text):
            vector[sum(stem.encode()) % 64] += 1
        return list(vector / np.linalg.norm(vector))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


class ModelServer(BaseHTTPRequestHandler):
    """Speaks vLLM's adapter routes and one sentence of chat; keeps what it was asked."""

    loaded: list[str]
    asked: list[dict[str, Any]]
    priorities: list[str]

    def do_GET(self) -> None:
        self._answer(json.dumps({"data": [{"id": name} for name in self.loaded]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/load_lora_adapter":
            self.loaded.append(body["lora_name"])
        elif self.path == "/v1/unload_lora_adapter":
            self.loaded[:] = [name for name in self.loaded if name != body["lora_name"]]
        else:
            self.asked.append(body)
            self.priorities.append(self.headers.get("X-Frontdesk-Priority", ""))
        self._answer('data: {"choices": [{"index": 0, "delta": {"content": "Hello."}}]}\n\ndata: [DONE]\n\n')

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[type[ModelServer]]:
    handler = type("Handler", (ModelServer,), {"loaded": ["tiny"], "asked": [], "priorities": []})
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{web.server_port}"
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield handler
    web.shutdown()
    web.server_close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)  # for so small a model, threads only wait for each other
    return tiny.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path, server: Any) -> Settings:
    return Settings(
        data_dir=tmp_path,
        model=str(tiny_model),
        model_url=server.url,
        train_min_rows=8,
        train_epochs=2,
        train_rank=4,
        train_learning_rate=2e-2,
        train_known_prompts=0,  # a model of random weights knows nothing
    )


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    engine = db.connect(settings.database)
    db.migrate(engine)
    indexes.ensure(engine, settings)
    yield Desk(settings, engine, Collections(settings.chroma_url, lambda _: WordsInABag()))
    engine.dispose()


@pytest.fixture
def approved(desk: Desk) -> Sequence[Feedback]:
    """The sample company's rewrites, approved."""
    sample.add_rewrites(desk)
    return feedback.trainable(desk.database)


@pytest.fixture
def lessons(desk: Desk, approved: Sequence[Feedback]) -> tuple[list[Lesson], list[Lesson]]:
    train_rows, held_out, _ = split(approved[:20])
    return [lesson(desk, row) for row in train_rows], [lesson(desk, row) for row in held_out]
