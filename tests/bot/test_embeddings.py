"""Embedding: as sentence-transformers does it, in 8 bits, with people before bulk work; and counting tokens."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from starlette.testclient import TestClient

from bot import tokens
from bot.serving import quantized
from bot.serving.api import create_app
from bot.serving.embeddings import Embedder
from bot.serving.encoders import Embedded, QuantizedEncoder, TorchEncoder, choose, prepare
from bot.serving.engine import Engine
from bot.serving.lanes import BACKGROUND_PRIORITY
from bot.serving.weights import EMBEDDING_MODEL, locate
from bot.settings import HOME, load_settings

KEY = "a-test-key"
PATIENCE_SECONDS = 60
TEXTS = [
    "When do you open?",
    "",
    "The shop's doors open at 9 o'clock, on Sundays at 11.",
    "Ferrets eat meat, twice a day. " * 12,
    "To restart, press and hold the side key, then choose “Restart”. " * 15,
    "Größe und Gewicht stehen auf dem Etikett.",
    "Refunds are paid within 14 days to the card that was used.",
]


@pytest.fixture(scope="session")
def folder() -> Path:
    return locate(EMBEDDING_MODEL, load_settings())


@pytest.fixture(scope="session")
def graph(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in 8 bits."""
    file = prepare(EMBEDDING_MODEL, folder, tmp_path_factory.mktemp("models"), print)
    assert file
    return file


@pytest.fixture(scope="session")
def embedder(graph: Path, folder: Path) -> Embedder:
    return Embedder(QuantizedEncoder(graph, folder), EMBEDDING_MODEL)


@pytest.fixture(scope="session")
def original(folder: Path) -> Any:
    return SentenceTransformer(str(folder), device="cpu")


class Bench:
    """An encoder of constant vectors that remembers its threads' priorities, and may be held up."""

    threads = 1
    texts_a_call = 1

    def __init__(self) -> None:
        self.priorities: list[int] = []
        self.may_finish = threading.Event()

    def encode(self, texts: list[str]) -> Embedded:
        if texts == ["wait"]:
            self.may_finish.wait(PATIENCE_SECONDS)
        self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return Embedded(np.ones((len(texts), 1), np.float32), len(texts))


def client_of(**encoders: Bench) -> TestClient:
    class NoChat:
        waiting = 0

    embedders = {name: Embedder(encoder, name) for name, encoder in encoders.items()}
    app = create_app(cast(Engine, NoChat()), embedders, KEY)
    return TestClient(app, headers={"Authorization": f"Bearer {KEY}"})


# --- vectors --------------------------------------------------------------------------------------------------------


def test_vectors_are_those_of_sentence_transformers_in_the_same_order(embedder: Embedder, original: Any) -> None:
    expected = original.encode(TEXTS, normalize_embeddings=True)

    found = embedder.embed(TEXTS).vectors

    cosines = (found * expected).sum(1)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert cosines.mean() > 0.99
    assert cosines.min() > 0.98
    assert (found @ expected.T).argmax(1).tolist() == list(range(len(TEXTS)))


def test_a_text_has_one_vector_whatever_it_travels_with(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS).vectors
    alone = [embedder.embed([text], background=True).vectors[0] for text in TEXTS]

    assert np.array_equal(together, np.array(alone))


def test_what_lies_beyond_the_window_is_not_read(embedder: Embedder) -> None:
    start = "ferret " * 300

    long, longer = embedder.embed([start]), embedder.embed([start + "and something else entirely"])

    assert long.tokens == longer.tokens == 256
    assert np.array_equal(long.vectors, longer.vectors)


# --- lanes ----------------------------------------------------------------------------------------------------------


def test_a_question_does_not_wait_for_bulk_work() -> None:
    encoder = Bench()
    embedder = Embedder(encoder, "bench")
    bulk = threading.Thread(target=embedder.embed, args=(["wait"] * 50, True))
    bulk.start()

    answer = embedder.embed(["a question"])

    assert bulk.is_alive()
    assert answer.tokens == 1
    encoder.may_finish.set()
    bulk.join()


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux only")
def test_the_header_sends_a_request_to_threads_that_give_way() -> None:
    encoder = Bench()
    client = client_of(bench=encoder)
    body = {"model": "bench", "input": ["a", "b"]}

    for headers in ({}, {"X-Frontdesk-Priority": "background"}, {"X-Frontdesk-Priority": "something else"}):
        assert client.post("/v1/embeddings", json=body, headers=headers).status_code == 200

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert encoder.priorities == [own, own, BACKGROUND_PRIORITY, BACKGROUND_PRIORITY, own, own]


def test_two_models_are_served_by_name_and_no_other() -> None:
    old, new = Bench(), Bench()
    client = client_of(old=old, new=new)

    answers = {name: client.post("/v1/embeddings", json={"model": name, "input": "x"}) for name in ("old", "new")}
    other = client.post("/v1/embeddings", json={"model": "other", "input": "x"})

    assert {name: answer.json()["model"] for name, answer in answers.items()} == {"old": "old", "new": "new"}
    assert len(old.priorities) == len(new.priorities) == 1
    assert other.status_code == 404
    assert "this server has 'old', 'new'" in other.json()["error"]["message"]


# --- conversion -----------------------------------------------------------------------------------------------------


def test_conversion_gives_the_same_file_every_time(folder: Path, graph: Path, tmp_path: Path) -> None:
    quantized.build(folder, tmp_path / "again.onnx")

    assert (tmp_path / "again.onnx").read_bytes() == graph.read_bytes()


def test_what_was_converted_is_not_converted_again(folder: Path, graph: Path) -> None:
    told: list[str] = []

    assert prepare(EMBEDDING_MODEL, folder, graph.parent, told.append) == graph
    assert told == []


def test_a_killed_conversion_leaves_nothing_that_is_used(
    folder: Path, graph: Path, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    code = "import sys; from pathlib import Path; from bot.serving.encoders import prepare;"
    code += f"prepare({EMBEDDING_MODEL!r}, Path(sys.argv[1]), Path(sys.argv[2]), print)"
    converting = subprocess.Popen([sys.executable, "-c", code, str(folder), str(tmp_path)], cwd=HOME)
    eventually(lambda: list(tmp_path.glob(".converting-*/*")))
    converting.kill()
    converting.wait()

    assert list(tmp_path.glob("*.onnx")) == []
    made = prepare(EMBEDDING_MODEL, folder, tmp_path, print)
    assert made
    assert made.read_bytes() == graph.read_bytes()


def test_where_nothing_can_be_kept_the_model_is_served_as_it_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, where a folder is needed")
    told: list[str] = []

    encoder = choose(EMBEDDING_MODEL, folder, tmp_path / "models", told.append)

    assert isinstance(encoder, TorchEncoder)
    assert "served slowly, as it is" in told[-1]


def test_other_weights_of_the_same_name_are_another_graph(tmp_path: Path) -> None:
    (tmp_path / quantized.WEIGHTS).write_bytes(b"before")
    before = quantized.place("own", tmp_path, tmp_path)
    (tmp_path / quantized.WEIGHTS).write_bytes(b"trained further")

    assert quantized.place("own", tmp_path, tmp_path) != before


def test_a_model_of_another_pooling_goes_the_way_of_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other", copy_function=os.symlink)
    (other / "1_Pooling" / "config.json").unlink()
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (other / "1_Pooling" / "config.json").write_text(json.dumps(pooling))

    encoder = choose("other", other, tmp_path, print)

    assert isinstance(encoder, TorchEncoder)
    expected = SentenceTransformer(str(other)).encode(TEXTS, normalize_embeddings=True)
    assert np.allclose(Embedder(encoder, "other").embed(TEXTS).vectors, expected, atol=1e-4)


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_tokens_are_counted_as_the_model_counts_them_even_beyond_its_window(original: Any) -> None:
    long = "ferret " * 300

    counts = tokens.counter(load_settings())([*TEXTS, long])

    ids = original.tokenizer([*TEXTS, long], add_special_tokens=False, truncation=False)["input_ids"]
    assert counts == [len(row) for row in ids]
    assert tokens.window(load_settings()) == 256


def test_tokens_of_a_model_that_is_elsewhere_are_estimated() -> None:
    settings = load_settings(embedding_model="someone/served-by-vllm")

    assert tokens.counter(settings)(["one two three", ""]) == [5, 0]
    assert tokens.window(settings) == tokens.DEFAULT_WINDOW


def test_counting_tokens_loads_no_torch() -> None:
    code = "import sys; from bot import tokens; from bot.settings import load_settings;"
    code += "tokens.counter(load_settings())(['x']); print('torch' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
