"""Model servers to measure and to compare: ours, `transformers serve` and vLLM as processes of their own, peft in this
one. Each is asked in the same way, with a prompt and an adapter's name."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.settings import inherited_environment
from workers.probes import http_answers

NEW_TOKENS = 64
START_SECONDS = 600  # vLLM compiles
KEY = {"Authorization": "Bearer bench"}
# unless told otherwise it takes nearly all of the machine's memory, and is killed for it where others work too
BATCHING = ("--continuous-batching", "--cb-max-memory-percent", "0.1")

# One for all that ask, as a bot has one: to make another reads every certificate of the machine, 30 ms.
CLIENT = httpx.Client(headers=KEY, timeout=300, limits=httpx.Limits(max_connections=None))

Ask = Callable[[str, str | None], tuple[float, int]]  # (prompt, adapter) to (seconds to the first text, tokens)


class Server(NamedTuple):
    """A server that answers at `url` as `model`, and its process."""

    url: str
    model: str
    process: "subprocess.Popen[bytes]"

    def ask(self, prompt: str, adapter: str | None) -> tuple[float, int]:
        """Seconds to the first text, and the number of tokens. Raises httpx's errors."""
        start, first, tokens = time.perf_counter(), 0.0, 0
        url = f"{self.url}/v1/chat/completions"
        with CLIENT.stream("POST", url, json=self.body(prompt, adapter)) as response:
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

    def ask_base(self, prompt: str, _: str | None) -> tuple[float, int]:
        """The same for a server that knows no adapters."""
        return self.ask(prompt, None)

    def body(self, prompt: str, adapter: str | None) -> dict[str, Any]:
        """A greedy, streamed request."""
        asked = {"model": adapter or self.model, "messages": [{"role": "user", "content": prompt}], "stream": True}
        return asked | {"max_tokens": NEW_TOKENS, "temperature": 0, "stream_options": {"include_usage": True}}

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Anything else of it."""
        return CLIENT.post(self.url + path, json=body)


@contextmanager
def frontdesk(name: str, models: Path, adapters: Mapping[str, Path], weights: str = "int8") -> Iterator[Server]:
    """Our server with these adapters loaded."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as data:
        settings = {"MODEL": name, "MODELS_DIR": models, "DATA_DIR": data, "MODEL_WEIGHTS": weights}
        settings |= {"MODEL_API_KEY": "bench"}
        environment = inherited_environment() | {f"FRONTDESK_{key}": str(value) for key, value in settings.items()}
        command = [sys.executable, "-m", "bot.serving.api", "--port", str(port)]
        with _running(command, port, name, environment) as server:
            if server is None:
                raise SystemExit("the model server does not start")
            for adapter, path in adapters.items():
                body = {"lora_name": adapter, "lora_path": str(path)}
                server.post("/v1/load_lora_adapter", body).raise_for_status()
            yield server


@contextmanager
def transformers_serve(folder: Path, *options: str) -> Iterator[Server | None]:
    """`transformers serve`, which knows no adapters; None where it does not start."""
    port = _free_port()
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--port", str(port)]
    command += ["--device", "cpu", "--dtype", "float32", *options]
    with _running(command, port, str(folder), inherited_environment()) as server:
        yield server


@contextmanager
def vllm(name: str, folder: Path, most_rank: int) -> Iterator[Server | None]:
    """vLLM as docker-compose.yml starts it; None where it does not start."""
    port = _free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--port={port}", "--api-key=bench"]
    command += [f"--model={folder}", f"--served-model-name={name}", "--enable-lora", f"--max-lora-rank={most_rank}"]
    changed = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with _running(command, port, name, inherited_environment() | changed) as server:
        yield server


@contextmanager
def _running(command: list[str], port: int, model: str, environment: Mapping[str, str]) -> Iterator[Server | None]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        server = Server(f"http://127.0.0.1:{port}", model, process)
        try:
            if _is_up(server):
                yield server
            else:
                log.seek(0)
                last = log.read().decode(errors="replace").strip().splitlines()[-1:]
                print(f"{' '.join(command[1:])}: skipped, it does not start ({' '.join(last)})")
                yield None
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _is_up(server: Server) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        if http_answers(f"{server.url}/health", "bench"):
            return True
        time.sleep(0.5)
    return False


def peft(folder: Path, adapters: Mapping[str, Path]) -> Ask:
    """peft's model in this process."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    for name, path in adapters.items():
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), name)
        else:
            model = PeftModel.from_pretrained(model, str(path), name)

    def ask(prompt: str, adapter: str | None) -> tuple[float, int]:
        start = time.perf_counter()
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
