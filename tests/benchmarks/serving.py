"""How fast the model server answers one and many, beside plain peft and `transformers serve`, and what adapters cost.

`python -m tests.benchmarks.serving [--quick]`: prompts of 300 tokens of which the first 220 are the same, 64 greedy
tokens, three adapters in turn; 1, 4 and 8 clients. Whoever is compared takes turns round by round, so that other work
on the machine slows all alike. Figures are medians of the rounds, with the least and the greatest.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from bot.serving.lanes import cores
from bot.serving.weights import locate
from bot.settings import Settings, load_settings
from tests.benchmarks import servers
from tests.benchmarks.llama import llama
from tests.benchmarks.meters import shared_host
from tests.benchmarks.servers import Ask

PROMPT_TOKENS, SHARED_TOKENS = 300, 220
ADAPTERS = ("one", "two", "three")
RANK = 16
WARM_UP = 6  # requests, in which what all prompts begin with is remembered
PARTS = ("beside", "mixing", "weights")

Rounds = Sequence[Sequence[str]]  # the prompts of each round, none of which comes twice; the first is to warm up


class Figures(NamedTuple):
    """Of one round."""

    first_seconds: list[float]
    tokens_per_second: float


@shared_host()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer requests, one round")
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    requests = chosen.requests or (8 if chosen.quick else 100)
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    disable_progress_bar()
    torch.set_num_threads(cores())
    settings = load_settings()
    print(f"{settings.model}, {cores()} cores, load {os.getloadavg()[0]:.1f}, {requests} requests a line and round")
    with tempfile.TemporaryDirectory() as scratch:
        folder = locate(settings.model, settings)
        adapters = make_adapters(folder, Path(scratch))
        rows = make_prompts(folder, WARM_UP + rounds * requests)
        prompts = [rows[:WARM_UP], *(rows[at : at + requests] for at in range(WARM_UP, len(rows), requests))]
        if "beside" in chosen.only:
            beside(settings, folder, adapters, prompts)
        if "mixing" in chosen.only:
            mixing(settings, adapters, prompts)
        if "weights" in chosen.only:
            weights(settings, prompts)


def make_adapters(folder: Path, place: Path, strength: float = 0.002) -> dict[str, Path]:
    """Adapters on all linear layers with random numbers, so small by default that answers stay words."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(0)
    adapted: Any = get_peft_model(model, config, adapter_name=ADAPTERS[0])
    for name in ADAPTERS[1:]:
        adapted.add_adapter(name, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=strength)
    adapted.save_pretrained(str(place))
    return {name: place / name for name in ADAPTERS}


def make_prompts(folder: Path, count: int) -> list[str]:
    """Texts that fill a prompt, of which the first 220 tokens are the same."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    plain = [word[1:] for word in list(words)[2000:8000] if word.startswith("Ġ") and word[1:].isascii()]
    empty = tokenizer.apply_chat_template([{"role": "user", "content": ""}], add_generation_prompt=True)
    overhead = len(empty["input_ids"])
    shared = " ".join(plain[: SHARED_TOKENS - overhead - 1])
    own = PROMPT_TOKENS - SHARED_TOKENS
    # of the second half each prompt begins elsewhere, so that no two have more in common
    return [shared + " " + " ".join(plain[500 + 7 * at :][:own]) for at in range(count)]


def beside(settings: Settings, folder: Path, adapters: Mapping[str, Path], prompts: Rounds) -> None:
    """Ours and the others in turns."""
    with ExitStack() as running:
        ours = running.enter_context(servers.frontdesk(settings.model, settings.models, adapters))
        askers: dict[str, Ask] = {"frontdesk": ours.ask, "peft generate": one_at_a_time(servers.peft(folder, adapters))}
        if theirs := llama(folder):
            askers["llama.cpp, 8 bits, base"] = one_at_a_time(theirs)
        if plain := running.enter_context(servers.transformers_serve(folder)):
            askers["transformers serve, base"] = plain.ask_base
        if batching := running.enter_context(servers.transformers_serve(folder, *servers.BATCHING)):
            askers["the same, continuous batching"] = batching.ask_base
        for clients in (1, 4, 8):
            in_turns({name: partial(measure, ask, ADAPTERS, clients) for name, ask in askers.items()}, clients, prompts)


def one_at_a_time(ask: Ask) -> Ask:
    """For what takes no second request."""
    turn = threading.Lock()

    def asked(prompt: str, adapter: str | None) -> tuple[float, int]:
        start = time.perf_counter()
        with turn:
            waited = time.perf_counter() - start
            first, tokens = ask(prompt, adapter)
        return waited + first, tokens

    return asked


def mixing(settings: Settings, adapters: Mapping[str, Path], prompts: Rounds) -> None:
    """Three adapters in one batch beside one, and beside the base alone, which costs what a merged model costs."""
    cases: dict[str, tuple[str | None, ...]] = {"as if merged": (None,), "one adapter": ("one",), "three": ADAPTERS}
    with servers.frontdesk(settings.model, settings.models, adapters) as ours:
        in_turns({name: partial(measure, ours.ask, who, 8) for name, who in cases.items()}, 8, prompts)


def weights(settings: Settings, prompts: Rounds) -> None:
    """The formats of the base's weights, without adapters."""
    with ExitStack() as running:
        each = {
            name: running.enter_context(servers.frontdesk(settings.model, settings.models, {}, name))
            for name in ("float", "int8")
        }
        for clients in (1, 8):
            cases = {name: partial(measure, server.ask, (None,), clients) for name, server in each.items()}
            in_turns(cases, clients, prompts)


def measure(ask: Ask, adapters: Sequence[str | None], clients: int, prompts: Sequence[str]) -> Figures:
    """All prompts, by so many clients at once, the adapters in turn."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(ask, prompts, [adapters[at % len(adapters)] for at in range(len(prompts))]))
    seconds = time.perf_counter() - start
    return Figures([first for first, _ in answers], sum(tokens for _, tokens in answers) / seconds)


def in_turns(cases: Mapping[str, Callable[[Sequence[str]], Figures]], clients: int, prompts: Rounds) -> None:
    """Every case with every round's prompts."""
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    for number, asked in enumerate(prompts):
        # each number of clients has its own prompts, or the second would find them remembered
        asked = [f"{clients} {prompt}" for prompt in asked]
        for name, case in cases.items():
            try:
                figures = case(asked)
            except httpx.HTTPError as error:
                print(f"{name}: failed ({error})")
                continue
            if number:
                found[name].append(figures)
    for name, each in found.items():
        report(f"{clients} clients, {name}", each)


def report(name: str, rounds: Sequence[Figures]) -> None:
    """Medians, with the least and the greatest."""
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
