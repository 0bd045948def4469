"""How fast chunks are embedded, beside plain sentence-transformers in fp32, and how long a question waits meanwhile.

`python -m tests.benchmarks.embedding [--docs docs.jsonl]`: both embed the same chunks in turns, so that other work on
the machine slows both. Without documents (lines of JSON with a `text`) the chunks are made of words drawn at random.
"""

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from bot.serving.embeddings import Embedder
from bot.serving.lanes import cores
from bot.serving.weights import EMBEDDING_MODEL, locate
from bot.settings import load_settings

WORDS_A_CHUNK = (110, 200)
QUERY_WORDS = 8
QUERY_EVERY_SECONDS = 0.05
BULK_TEXTS = 128

Embed = Callable[[list[str]], object]


class Speeds(NamedTuple):
    """Chunks per second, one figure a round."""

    plain: list[float]
    ours: list[float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--chunks", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=200)
    chosen = parser.parse_args()
    words = _words(chosen.docs)
    chunks = chunked(words, chosen.chunks)
    settings = load_settings()
    folder = locate(EMBEDDING_MODEL, settings)
    embedder = Embedder.load(EMBEDDING_MODEL, folder, settings.models)
    torch.set_num_threads(cores())
    plain = SentenceTransformer(str(folder), device="cpu")
    _report_speeds(in_turns(plain, embedder, chunks, chosen.rounds), embedder.embed(chunks).tokens / len(chunks))
    queries = [" ".join(random.Random(seed).sample(words, QUERY_WORDS)) for seed in range(chosen.queries)]
    _report_waits("quiet", waits(embedder, queries))
    with saturated(embedder, chunks):
        _report_waits("while the background lane is full", waits(embedder, queries))


def chunked(words: list[str], count: int) -> list[str]:
    """Chunks of 110 to 200 of the words, from random places."""
    chance = random.Random(0)
    starts = [chance.randrange(max(1, len(words) - WORDS_A_CHUNK[1])) for _ in range(count)]
    return [" ".join(words[start : start + chance.randint(*WORDS_A_CHUNK)]) for start in starts]


def in_turns(plain: SentenceTransformer, embedder: Embedder, chunks: list[str], rounds: int) -> Speeds:
    """Both on the same chunks at the same priority, `rounds` times each after one to warm up."""
    speeds = Speeds([], [])
    for _ in range(rounds + 1):
        speeds.plain.append(_speed(lambda texts: plain.encode(texts, batch_size=32, normalize_embeddings=True), chunks))
        speeds.ours.append(_speed(lambda texts: embedder.embed(texts), chunks))
    return Speeds(speeds.plain[1:], speeds.ours[1:])


def waits(embedder: Embedder, queries: list[str]) -> list[float]:
    """How long each query took in milliseconds, one at a time with pauses, as people ask."""
    taken = []
    for query in queries:
        start = time.perf_counter()
        embedder.embed([query])
        taken.append((time.perf_counter() - start) * 1000)
        time.sleep(QUERY_EVERY_SECONDS)
    return taken


@contextmanager
def saturated(embedder: Embedder, chunks: list[str]) -> Iterator[None]:
    """Two callers who keep the background lane full."""
    done = threading.Event()

    def fill() -> None:
        while not done.is_set():
            embedder.embed(chunks[:BULK_TEXTS], background=True)

    callers = [threading.Thread(target=fill) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        done.set()
        for caller in callers:
            caller.join()


def _words(docs: Path | None) -> list[str]:
    if docs:
        return [word for line in docs.read_text().splitlines() for word in json.loads(line)["text"].split()]
    chance = random.Random(0)
    vocabulary = ["".join(chance.choices("aeinorst", k=chance.randint(2, 7))) for _ in range(2000)]
    return chance.choices(vocabulary, k=50_000)


def _speed(embed: Embed, chunks: list[str]) -> float:
    start = time.perf_counter()
    embed(chunks)
    return len(chunks) / (time.perf_counter() - start)


def _report_speeds(speeds: Speeds, tokens: float) -> None:
    for name, figures in (("sentence-transformers fp32", speeds.plain), ("frontdesk", speeds.ours)):
        median = statistics.median(figures)
        spread = f"{min(figures):.1f} to {max(figures):.1f}"
        print(f"{name}: {median:.1f} chunks/s ({spread}), {median * tokens:,.0f} tokens/s")
    ratios = [ours / plain for plain, ours in zip(speeds.plain, speeds.ours, strict=True)]
    print(f"times as fast, round by round: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")


def _report_waits(name: str, taken: list[float]) -> None:
    middle, late = np.percentile(taken, [50, 95])
    print(f"a question {name}: p50 {middle:.1f} ms, p95 {late:.1f} ms")


if __name__ == "__main__":
    main()
