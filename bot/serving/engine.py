"""The engine: one base model and its adapters by name, serving many requests in one running batch.

Built on transformers' own forward. It knows nothing of HTTP. A greedy answer is the same alone or in company to the
limit of floating point: attention and adapters see only their own request, and the tokens of a prompt are read in
pieces whose size depends on company, so sums may be rounded differently; a token changes only where the two likeliest
are equal to about one part in 100,000 (in bfloat16, and with 8 bits, in 100). The same holds for a seed: each
request draws from a generator of its own.
"""

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.log import get_log
from bot.priority import PATIENCE
from bot.serving import attention
from bot.serving.apart import apart
from bot.serving.batch import Batch
from bot.serving.fitting import read_adaptation
from bot.serving.forward import Forward, TorchForward
from bot.serving.generation import Generation, GenerationRequest
from bot.serving.mixed import join, mix_adapters_into
from bot.serving.mixing import Adaptation
from bot.serving.precision import has_bfloat16
from bot.serving.prefixes import Prefixes
from bot.serving.prompt import Prompter
from bot.serving.queues import Queues
from bot.serving.rack import Rack
from bot.serving.refusals import AdapterLoaded, PromptTooLong
from bot.serving.rows import Row
from bot.serving.runtime import graph_forward
from bot.serving.slots import Slots
from bot.serving.soft import SoftEmbedding
from bot.serving.tally import Tally

SLOTS = 8
PLACES = 8
DEADLINE_SECONDS = 120.0
LINGER_SECONDS = 5.0  # how long the thread waits for more work before it ends
LOOK_SECONDS = 0.1  # between two looks at requests whose adapter is on its way, or at whether the program ends

log = get_log(__name__)


class Engine:
    """Serves a base model and any number of adapters, LoRA or soft prompts. Any thread may call every method."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        folder: Path,
        places: int = PLACES,
        deadline_seconds: float = DEADLINE_SECONDS,
        slots: int = SLOTS,
        eight_bits: bool = False,
    ) -> None:
        self.name = name
        self.context_tokens = int(model.config.max_position_embeddings)
        self.folder = folder
        model.eval().set_attn_implementation(attention.NAME)
        self._head = next(name for name, part in model.named_modules() if part is model.get_output_embeddings())
        self._embedding = SoftEmbedding(model.get_input_embeddings())
        model.set_input_embeddings(self._embedding)
        graph = eight_bits and model.dtype == torch.float32
        mix, self._mixed = mix_adapters_into(model, eight_bits and not graph)
        self._rack = Rack(self._read)
        self._prefixes = Prefixes()
        self._prompter = Prompter(tokenizer)
        memory = Slots(model.config, slots, model.dtype, model.device)
        ends = _end_tokens(model, tokenizer)
        forward: Forward = TorchForward(model, memory)
        if graph:
            forward = graph_forward(model, self._mixed, mix, memory, forward)
        self._batch = Batch(forward, self._embedding, mix, memory, self._prefixes, tokenizer.backend_tokenizer, ends)
        self._queues = Queues(places)
        self._background_slots = max(1, slots // 2)
        self._deadline_seconds = deadline_seconds
        self._thread: threading.Thread | None = None

    @classmethod
    def load(cls, name: str, folder: Path, eight_bits: bool = False) -> "Engine":
        """Read the weights: bf16 on a GPU if there is one, else fp32 on the CPU, or 8 bits there: by torch where the
        processor computes in bf16, else by ONNX Runtime."""
        return apart(partial(cls._load, name, folder, eight_bits))

    @classmethod
    def _load(cls, name: str, folder: Path, eight_bits: bool) -> "Engine":
        gpu = torch.cuda.is_available()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        precision = torch.bfloat16 if gpu or (eight_bits and has_bfloat16()) else torch.float32
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=precision)
        return cls(model.to("cuda" if gpu else "cpu"), tokenizer, name, folder, eight_bits=eight_bits and not gpu)

    def warm_up(self) -> None:
        """Write a token, so that the first customer does not wait for what is done once."""
        for _ in self.generate(GenerationRequest(({"role": "user", "content": "warm-up"},), max_tokens=1)):
            pass

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queues)

    @property
    def running(self) -> int:
        """How many requests are in the batch."""
        return len(self._batch.rows)

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        return self._batch.tally

    @property
    def prefix_bytes(self) -> int:
        """The memory that the beginnings of prompts take."""
        return self._prefixes.bytes

    def adapters(self) -> dict[str, Path]:
        """The loaded adapters by name, and the folders that they came from."""
        return self._rack.contents()

    def load_adapter(self, name: str, path: Path) -> None:
        """Load an adapter under a name; raises `AdapterRefused`, or `AdapterLoaded` if the name is taken."""
        if name == self.name:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")
        self._rack.add(name, path)

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter; requests that came before are still answered with it. Raises `UnknownModel`."""
        self._prefixes.drop(self._rack.remove(name))

    def generate(self, request: GenerationRequest) -> Generation:
        """Take a place in the line; the answer is written as soon as there is a slot, and read from the result.

        Raises at once `ModelBusy`, `PromptTooLong`, `UnknownModel` or `Refusal` (a template that takes no such
        messages), and from the iterator `OutOfMemory`, `TookTooLong` or `AdapterRefused` (its files are gone).
        """
        self._queues.check_room(request.background, self._batch.free)
        owner, arriving = (None, None) if request.adapter is None else self._rack.find(request.adapter)
        prompt = self._prompt(request, owner.virtual_tokens if owner else 0)
        seconds = self._deadline_seconds * (PATIENCE if request.background else 1)
        row = Row(request, prompt, seconds, owner, arriving)
        with self._queues.lock:
            self._queues.check_room(request.background, self._batch.free)
            self._queues.join(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine")
                self._thread.start()
        return row.generation

    def _prompt(self, request: GenerationRequest, virtual_tokens: int) -> list[int]:
        prompt = [*self._embedding.ids(virtual_tokens), *self._prompter.tokens(request.messages)]
        if len(prompt) + request.max_tokens > self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(prompt)} tokens and {request.max_tokens} more are asked for, "
                f"but the model's context is {self.context_tokens} tokens."
            )
        return prompt

    def _read(self, path: Path) -> Adaptation:
        return apart(partial(self._read_here, path))

    def _read_here(self, path: Path) -> Adaptation:
        layers = dict(pair for mixed in self._mixed for pair in mixed.layers())
        bases = {self.name, str(self.folder), self.folder.name}
        found = read_adaptation(path, bases, layers, self._head, self._embedding.base.weight.detach())
        return join(found, self._mixed)

    def _run(self) -> None:
        idle_since = time.monotonic()
        while threading.main_thread().is_alive():  # else the program is ending
            self._let_go()
            self._let_in()
            if self._batch.rows:
                self._batch.step()
                idle_since = time.monotonic()
            elif self._rest(idle_since):
                return
        self._batch.leave()
        while row := self._queues.next(background_allowed=True):
            row.leave()

    def _rest(self, idle_since: float) -> bool:
        """Wait for work; whether the thread should end, since none has come for long."""
        with self._queues.lock:
            if not len(self._queues) and time.monotonic() - idle_since > LINGER_SECONDS:
                self._thread = None
                return True
            self._queues.lock.wait(LOOK_SECONDS)
            return False

    def _let_go(self) -> None:
        for row in self._queues.leavers():
            if row.generation.cancelled:
                row.leave()
            else:
                row.expire()
        self._batch.sweep()

    def _let_in(self) -> None:
        while self._batch.free:
            with self._queues.lock:  # a row between its line and its slot would look like room for one more
                background = sum(row.request.background for row in self._batch.rows)
                row = self._queues.next(background_allowed=background < self._background_slots)
                if row is None:
                    return
                self._begin(row)

    def _begin(self, row: Row) -> None:
        try:
            row.adaptation  # noqa: B018  raises what went wrong with reading it
            self._batch.join(row)
        except Exception as error:
            log.error("a request could not begin", exc_info=error)
            row.fail(error)


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return {token for token in [*listed, tokenizer.eos_token_id] if token is not None}
