"""How fast the model server answers one and many, beside plain peft and `transformers serve`, and what adapters cost.

`python -m tests.benchmarks.serving [--quick]`: prompts of 300 tokens that begin alike, 64 greedy tokens, three
adapters in turn; 1, 4 and 8 clients. The servers take turns round by round, so that other work on the machine slows
all of them alike. Figures are medians of the rounds, with the least and the greatest.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from bot.serving.engine import Engine
from bot.serving.generation import GenerationRequest
from bot.serving.lanes import cores
from bot.serving.weights import locate
from bot.settings import inherited_environment, load_settings

PROMPT_TOKENS, SHARED_TOKENS, NEW_TOKENS = 300, 220, 64
ADAPTERS = ("one", "two", "three")
RANK = 16
SERVE_SECONDS = 120
# unless told otherwise it takes nearly all of the machine's memory, and is killed for it where others work too
BATCHING = ("--continuous-batching", "--cb-max-memory-percent", "0.1")
SWAPS = 100

Ask = Callable[[str, str | None], tuple[float, int]]  # (prompt, adapter) to (seconds to the first text, tokens)


class Figures(NamedTuple):
    """Of one round."""

    first_seconds: list[float]
    tokens_per_second: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer requests, one round")
    parser.add_argument("--only", nargs="*", default=["ours", "peft", "serve", "mixing", "weights", "swaps"])
    parser.add_argument("--requests", type=int)
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    requests = chosen.requests or (8 if chosen.quick else 100)
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    disable_progress_bar()
    torch.set_num_threads(cores())
    settings = load_settings()
    folder = locate(settings.model, settings)
    print(f"{settings.model}, {cores()} cores, load {os.getloadavg()[0]:.1f}, {requests} requests a line and round")
    with tempfile.TemporaryDirectory() as scratch:
        adapters = make_adapters(folder, Path(scratch))
        prompts = make_prompts(folder, requests)
        engine = Engine.load(settings.model, folder)
        for name, path in adapters.items():
            engine.load_adapter(name, path)
        if {"ours", "peft", "serve"} & set(chosen.only):
            beside(engine, folder, adapters, prompts, chosen.only, rounds)
        if "mixing" in chosen.only:
            mixing(engine, prompts, rounds)
        if "weights" in chosen.only:
            weights({"floats": engine, "8 bits": Engine.load(settings.model, folder, eight_bits=True)}, prompts, rounds)
        if "swaps" in chosen.only:
            swaps(engine, adapters, prompts)


def make_adapters(folder: Path, place: Path) -> dict[str, Path]:
    """Adapters on all linear layers with random numbers, small enough that answers stay words."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted: Any = get_peft_model(model, config, adapter_name=ADAPTERS[0])
    for name in ADAPTERS[1:]:
        adapted.add_adapter(name, config)
    torch.manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.002)
    adapted.save_pretrained(str(place))
    return {name: place / name for name in ADAPTERS}


def make_prompts(folder: Path, count: int) -> list[str]:
    """Texts that fill a prompt, of which the first 220 tokens are the same."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    plain = [word[1:] for word in list(words)[2000:8000] if word.startswith("Ġ") and word[1:].isascii()]
    empty = tokenizer.apply_chat_template([{"role": "user", "content": ""}], add_generation_prompt=True)
    overhead = len(empty["input_ids"])
    shared = " ".join(plain[: SHARED_TOKENS - overhead])
    own = PROMPT_TOKENS - SHARED_TOKENS
    return [shared + " " + " ".join(plain[500 + 7 * at :][:own]) for at in range(count)]


def of_engine(engine: Engine) -> Ask:
    """Ask our engine."""

    def ask(prompt: str, adapter: str | None) -> tuple[float, int]:
        start = time.perf_counter()
        request = GenerationRequest(({"role": "user", "content": prompt},), adapter, NEW_TOKENS)
        generation = engine.generate(request)
        next(generation, None)
        first = time.perf_counter() - start
        for _ in generation:
            pass
        return first, generation.completion_tokens

    return ask


def of_peft(folder: Path, adapters: dict[str, Path]) -> Ask:
    """Ask peft's model, one request at a time."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for name, path in adapters.items():
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), name)
        else:
            model = PeftModel.from_pretrained(model, str(path), name)
    turn = threading.Lock()

    def ask(prompt: str, adapter: str | None) -> tuple[float, int]:
        start = time.perf_counter()
        with turn:
            model.set_adapter(adapter)
            ids = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt"
            )
            clock = _Clock()
            written = model.generate(**ids, max_new_tokens=NEW_TOKENS, do_sample=False, streamer=clock)
        return clock.first - start, written.shape[1] - ids["input_ids"].shape[1]

    return ask


class _Clock:
    """A streamer that notes when the first token came; the prompt comes before it."""

    def __init__(self) -> None:
        self.calls = 0
        self.first = 0.0

    def put(self, value: Any) -> None:
        self.calls += 1
        if self.calls == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        pass


@contextmanager
def transformers_serve(folder: Path, *options: str) -> Iterator[Ask | None]:
    """Ask `transformers serve`, which knows no adapters; None where it does not start."""
    port = _free_port()
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--port", str(port)]
    command += ["--device", "cpu", "--dtype", "float32", *options]
    log = Path(tempfile.mkdtemp()) / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=inherited_environment())
    try:
        url = f"http://127.0.0.1:{port}"
        if _is_up(url, server):
            yield of_server(url, str(folder))
        else:
            last = log.read_text().strip().splitlines()[-1:]
            print(f"transformers serve {' '.join(options)}: skipped, it does not start ({' '.join(last)})")
            yield None
    finally:
        server.terminate()
        server.wait()


def of_server(url: str, model: str) -> Ask:
    """Ask an OpenAI-compatible server."""
    client = httpx.Client(timeout=300)

    def ask(prompt: str, adapter: str | None) -> tuple[float, int]:
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
        body |= {"max_tokens": NEW_TOKENS, "temperature": 0, "stream_options": {"include_usage": True}}
        start, first, tokens = time.perf_counter(), 0.0, 0
        with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if not line.startswith("data: ") or line.endswith("[DONE]"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if any(choice.get("delta", {}).get("content") for choice in chunk.get("choices") or []):
                    first = first or time.perf_counter() - start
                # a piece may be several tokens
                tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
        return first, tokens

    return ask


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _is_up(url: str, server: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + SERVE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return httpx.get(f"{url}/health", timeout=1).status_code < 500
        except httpx.HTTPError:
            time.sleep(0.5)
    return False


def beside(
    engine: Engine, folder: Path, adapters: dict[str, Path], prompts: Sequence[str], only: Sequence[str], rounds: int
) -> None:
    """The servers in turns."""
    askers: dict[str, Ask] = {"frontdesk": of_engine(engine)} if "ours" in only else {}
    if "peft" in only:
        askers["peft generate"] = of_peft(folder, adapters)
    with transformers_serve(folder) if "serve" in only else _nothing() as plain:
        if plain:
            askers["transformers serve, base"] = plain
        with transformers_serve(folder, *BATCHING) if "serve" in only else _nothing() as batching:
            if batching:
                askers["the same, continuous batching"] = batching
            for clients in (1, 4, 8):
                found: dict[str, list[Figures]] = {name: [] for name in askers}
                for name, ask in askers.items():
                    _attempt(name, ask, prompts[: 2 * len(ADAPTERS)], ADAPTERS, clients)  # to warm up
                for _ in range(rounds):
                    for name, ask in askers.items():
                        found[name] += _attempt(name, ask, prompts, ADAPTERS, clients)
                for name, figures in found.items():
                    _report(f"{clients} clients, {name}", figures)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _attempt(
    name: str, ask: Ask, prompts: Sequence[str], adapters: Sequence[str | None], clients: int
) -> list[Figures]:
    try:
        return [measure(ask, prompts, adapters, clients)]
    except httpx.HTTPError as error:
        print(f"{name} at {clients} clients: failed ({error})")
        return []


def measure(ask: Ask, prompts: Sequence[str], adapters: Sequence[str | None], clients: int) -> Figures:
    """All prompts, by so many clients at once, the adapters in turn."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(ask, prompts, [adapters[at % len(adapters)] for at in range(len(prompts))]))
    seconds = time.perf_counter() - start
    return Figures([first for first, _ in answers], sum(tokens for _, tokens in answers) / seconds)


def mixing(engine: Engine, prompts: Sequence[str], rounds: int) -> None:
    """Three adapters in one batch beside one, and beside the base alone, which costs what a merged model costs."""
    ask = of_engine(engine)
    cases: dict[str, tuple[str | None, ...]] = {"as if merged": (None,), "one adapter": ("one",), "three": ADAPTERS}
    _in_turns({name: partial(measure, ask, prompts, adapters, 8) for name, adapters in cases.items()}, 8, rounds)


def weights(engines: dict[str, Engine], prompts: Sequence[str], rounds: int) -> None:
    """The formats of the base's weights, without adapters."""
    for clients in (1, 8):
        cases = {name: partial(measure, of_engine(each), prompts, (None,), clients) for name, each in engines.items()}
        _in_turns(cases, clients, rounds)


def _in_turns(cases: dict[str, Callable[[], Figures]], clients: int, rounds: int) -> None:
    """After one round to warm up."""
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    for at in range(rounds + 1):
        for name, case in cases.items():
            figures = case()
            if at:
                found[name].append(figures)
    for name, each in found.items():
        _report(f"{clients} clients, {name}", each)


def swaps(engine: Engine, adapters: dict[str, Path], prompts: Sequence[str]) -> None:
    """Adapters are loaded and unloaded under load; every request must be answered."""
    ask, done = of_engine(engine), threading.Event()
    outcomes: list[bool] = []

    def load() -> None:
        at = 0
        while not done.is_set():
            at += 1
            try:
                outcomes.append(ask(prompts[at % len(prompts)], ADAPTERS[at % 3])[1] > 0)
            except Exception as error:  # noqa: BLE001  that is what is counted
                print(f"failed: {error}")
                outcomes.append(False)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    taken = []
    for at in range(SWAPS):
        start = time.perf_counter()
        engine.load_adapter(f"swap-{at}", adapters[ADAPTERS[at % 3]])
        taken.append(time.perf_counter() - start)
        if at:
            engine.unload_adapter(f"swap-{at - 1}")
    done.set()
    for client in clients:
        client.join()
    print(
        f"{SWAPS} swaps under load: {outcomes.count(False)} of {len(outcomes)} requests failed, "
        f"{statistics.median(taken) * 1000:.0f} ms a load (median)"
    )


def _report(name: str, rounds: Sequence[Figures]) -> None:
    if not rounds:
        return
    firsts = [statistics.median(figures.first_seconds) * 1000 for figures in rounds]
    speeds = [figures.tokens_per_second for figures in rounds]
    print(
        f"{name}: first token {statistics.median(firsts):.0f} ms ({min(firsts):.0f} to {max(firsts):.0f}), "
        f"{statistics.median(speeds):.1f} tokens/s ({min(speeds):.1f} to {max(speeds):.1f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
