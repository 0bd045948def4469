"""The model server in a crowd: does a request fail, does anything leak, does the server say all the while that it is
well?

`python -m tests.benchmarks.crowd`: 500 adapters are registered; four clients ask for any of them while 100 others come
and go; 50 clients come at once to a queue of 8; 20 leave in the middle of an answer. All the while its health is asked
for fifty times a second.
"""

import argparse
import math
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import psutil
from transformers.utils.logging import disable_progress_bar

from bot import throughput
from bot.serving.weights import locate
from bot.settings import load_settings
from tests.benchmarks import servers
from tests.benchmarks.meters import shared_host
from tests.benchmarks.servers import CLIENT, KEY, Server
from tests.benchmarks.serving import ADAPTERS, make_adapters, make_prompts
from tests.meanwhile import repeatedly

REGISTERED, SWAPS, CROWD, LEAVERS, CLIENTS = 500, 100, 50, 20, 4
LOOK_SECONDS = 0.02
SETTLE_SECONDS = 30
HEALTHY_MS = 50


@shared_host()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=SWAPS)
    chosen = parser.parse_args()
    disable_progress_bar()
    settings = load_settings()
    folder = locate(settings.model, settings)
    with tempfile.TemporaryDirectory() as scratch:
        made = make_adapters(folder, Path(scratch))
        prompts = make_prompts(folder, 60)
        phases = dict[str, float]()
        with servers.frontdesk(settings.model, settings.models, {}) as server, watched(server) as health:
            begun = phases["the registering"] = time.perf_counter()
            for at in range(REGISTERED):
                load(server, f"adapter-{at}", made[ADAPTERS[at % len(ADAPTERS)]])
            print(f"{REGISTERED} adapters registered in {time.perf_counter() - begun:.0f} s")
            memory(server, "with all adapters registered")
            phases["the swaps"] = time.perf_counter()
            swaps(server, made, prompts, chosen.swaps)
            memory(server, "after the swaps")
            phases["the crowd"] = time.perf_counter()
            crowd(server, prompts)
            phases["the leaving"] = time.perf_counter()
            leavers(server, prompts)
            settled(server)
            memory(server, "in the end")
        report(health, phases)


def load(server: Server, name: str, path: Path) -> None:
    """Register an adapter."""
    server.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path)}).raise_for_status()


def swaps(server: Server, made: dict[str, Path], prompts: list[str], number: int) -> None:
    """Adapters come and go while others are asked for; every request must be answered."""
    outcomes, taken, chance = list[str](), list[float](), random.Random(0)

    def ask_any() -> None:
        outcomes.append(outcome(server, chance.choice(prompts), f"adapter-{chance.randrange(REGISTERED)}"))

    with repeatedly(ask_any, CLIENTS):
        for at in range(number):
            start = time.perf_counter()
            load(server, f"swap-{at}", made[ADAPTERS[at % len(ADAPTERS)]])
            taken.append(time.perf_counter() - start)
            if at:
                server.post("/v1/unload_lora_adapter", {"lora_name": f"swap-{at - 1}"}).raise_for_status()
            outcomes.append(outcome(server, prompts[at % len(prompts)], f"swap-{at}", "new"))
    print(
        f"{number} swaps under the load of {CLIENTS} clients: {told(outcomes)}; "
        f"{statistics.median(taken) * 1000:.0f} ms a load"
    )


def outcome(server: Server, prompt: str, adapter: str | None, name: str = "answered") -> str:
    """What came of a request, in a word."""
    try:
        return name if server.ask(prompt, adapter)[1] else "empty"
    except httpx.HTTPStatusError as error:
        response = error.response
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS and response.headers.get("retry-after"):
            return "turned away with a time to come again"
        return f"failed with {response.status_code}"
    except httpx.HTTPError as error:
        return f"failed with {type(error).__name__}"


def crowd(server: Server, prompts: list[str]) -> None:
    """More come at once than there is room for."""
    with ThreadPoolExecutor(CROWD) as pool:
        outcomes = list(pool.map(lambda at: outcome(server, prompts[at], None), range(CROWD)))
    print(f"{CROWD} clients at once: {told(outcomes)}")


def told(outcomes: list[str]) -> str:
    """How many of each."""
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(outcomes).items()))


def leavers(server: Server, prompts: list[str]) -> None:
    """Some go after the first words."""

    def leave(at: int) -> None:
        body = server.body(prompts[at], f"adapter-{at}")
        with CLIENT.stream("POST", f"{server.url}/v1/chat/completions", json=body) as response:
            next(response.iter_bytes(), None)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(leave, range(LEAVERS)))


def settled(server: Server) -> None:
    """How long until no slot is held any more."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < SETTLE_SECONDS:
        held = throughput.parse(CLIENT.get(f"{server.url}/metrics").text)
        if held.answering == held.waiting == 0:
            print(f"{LEAVERS} clients left in mid-stream: every slot free {time.perf_counter() - begun:.2f} s later")
            return
        time.sleep(LOOK_SECONDS)
    print(f"{LEAVERS} clients left in mid-stream: slots are still held after {SETTLE_SECONDS} s")


def memory(server: Server, when: str) -> None:
    """Print the resident memory."""
    print(f"memory {when}: {psutil.Process(server.process.pid).memory_info().rss / 1e9:.2f} GB")


@contextmanager
def watched(server: Server) -> Iterator[list[tuple[float, float]]]:
    """When the health page was asked for, by a process of its own, and the milliseconds it took; filled in the end."""
    spawn, taken = multiprocessing.get_context("spawn"), list[tuple[float, float]]()
    ours, theirs = spawn.Pipe()
    watcher = spawn.Process(target=watch, args=(server.url, theirs), daemon=True)
    watcher.start()
    try:
        yield taken
    finally:
        ours.send("enough")
        taken.extend(ours.recv())


def watch(url: str, asker: Connection) -> None:
    """Ask for the health page until told that it is enough; infinitely many milliseconds where it failed."""
    taken = list[tuple[float, float]]()
    with httpx.Client(headers=KEY, timeout=30) as client:
        while not asker.poll(LOOK_SECONDS):
            start = time.perf_counter()
            try:
                client.get(f"{url}/health").raise_for_status()
                taken.append((start, 1000 * (time.perf_counter() - start)))
            except httpx.HTTPError:
                taken.append((start, math.inf))
    asker.send(taken)


def report(health: list[tuple[float, float]], phases: dict[str, float]) -> None:
    """How fast the health page was throughout, and what went on when it was not."""
    ranked = sorted(milliseconds for _, milliseconds in health)
    shares = {name: ranked[int(share * (len(ranked) - 1))] for name, share in (("median", 0.5), ("p99", 0.99))}
    said = ", ".join(f"{name} {value:.1f} ms" for name, value in shares.items())
    late = [(when, milliseconds) for when, milliseconds in health if milliseconds >= HEALTHY_MS]
    print(
        f"health, asked {len(ranked)} times: {said}, at most {ranked[-1]:.1f} ms; "
        f"{len(late)} of them took {HEALTHY_MS} ms or more"
    )
    for when, milliseconds in late:
        phase = max((name for name, begun in phases.items() if begun <= when), key=phases.__getitem__)
        print(f"  {milliseconds:.0f} ms, {when - phases[phase]:.1f} s after the beginning of {phase}")


if __name__ == "__main__":
    main()
