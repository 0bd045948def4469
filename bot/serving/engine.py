"""The engine: one base model, its LoRA adapters by name, one request at a time in the order of arrival.

Built on transformers and peft with a short token loop of its own. It knows nothing of HTTP.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from bot.serving.adapters import read_adapter
from bot.serving.generation import Generation, GenerationRequest
from bot.serving.line import Line, Ticket
from bot.serving.prompt import Prompter
from bot.serving.refusals import AdapterLoaded, OutOfMemory, PromptTooLong, TookTooLong, UnknownModel
from bot.serving.sampling import Sampler
from bot.serving.text import PieceDecoder, StopFilter
from bot.serving.wardrobe import Wardrobe

PLACES = 8
DEADLINE_SECONDS = 120.0
PREFILL_TOKENS = 256  # between two looks whether the client is still there: 0.4 s on two cores


class Engine:
    """Serves a base model and any number of LoRA adapters on top of it. Every method may be called by any thread."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        folder: Path,
        places: int = PLACES,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.name = name
        self.context_tokens = int(model.config.max_position_embeddings)
        self.folder = folder
        self._wardrobe = Wardrobe(model.eval())
        self._prompter = Prompter(tokenizer)
        self._tokenizer = tokenizer.backend_tokenizer
        self._ends = _end_tokens(model, tokenizer)
        self._device = model.device
        self._line = Line(places)
        self._deadline_seconds = deadline_seconds

    @classmethod
    def load(cls, name: str, folder: Path) -> "Engine":
        """Read the weights: bf16 on a GPU if there is one, else fp32 on the CPU."""
        gpu = torch.cuda.is_available()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if gpu else torch.float32)
        return cls(model.to("cuda" if gpu else "cpu"), tokenizer, name, folder)

    @property
    def waiting(self) -> int:
        """How many requests wait behind the one being served."""
        return self._line.waiting

    def adapters(self) -> dict[str, Path]:
        """The loaded adapters by name, and the folders that they came from."""
        return self._wardrobe.contents()

    def load_adapter(self, name: str, path: Path) -> None:
        """Load a LoRA adapter under a name; raises `AdapterRefused`, or `AdapterLoaded` if the name is taken."""
        if name in self.adapters() or name == self.name:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")
        files = read_adapter(path, {self.name, str(self.folder), self.folder.name})
        with self._turn():
            self._wardrobe.hang(name, path, files)

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter, after the requests that came before; raises `UnknownModel`."""
        with self._turn():
            self._wardrobe.discard(name)

    def generate(self, request: GenerationRequest) -> Generation:
        """Take a place in the line; iterating over the result waits for the turn and yields text.

        Raises at once `ModelBusy`, `PromptTooLong`, `UnknownModel` or `Refusal` (a template that takes no such
        messages), and from the iterator `OutOfMemory`, `TookTooLong` or `UnknownModel` (unloaded meanwhile).
        """
        if request.adapter is not None and request.adapter not in self.adapters():
            raise UnknownModel(f"The model '{request.adapter}' does not exist.")
        ticket = self._line.join()
        deadline = time.monotonic() + self._deadline_seconds
        try:
            prompt = self._prompt(request)
        except BaseException:
            self._line.leave(ticket)
            raise
        return Generation(
            len(prompt),
            begin=lambda generation: self._write(request, prompt, ticket, deadline, generation),
            end=lambda: self._line.leave(ticket),
        )

    def _prompt(self, request: GenerationRequest) -> list[int]:
        prompt = self._prompter.tokens(request.messages)
        if len(prompt) + request.max_tokens > self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(prompt)} tokens and {request.max_tokens} more are asked for, "
                f"but the model's context is {self.context_tokens} tokens."
            )
        return prompt

    @contextmanager
    def _turn(self) -> Iterator[None]:
        ticket = self._line.join(bounded=False)
        try:
            self._line.wait(ticket, gone=lambda: False)
            yield
        finally:
            self._line.leave(ticket)

    def _write(
        self, request: GenerationRequest, prompt: list[int], ticket: Ticket, deadline: float, generation: Generation
    ) -> Generator[str]:
        if not self._line.wait(ticket, lambda: generation.cancelled, deadline):
            self._check(generation, deadline)
            return
        self._wardrobe.wear(request.adapter)
        decoder, stops = PieceDecoder(self._tokenizer), StopFilter(request.stop)
        for token in self._tokens(request, prompt, deadline, generation):
            generation.completion_tokens += 1
            if token in self._ends:
                generation.finish_reason = "stop"
                break
            if piece := stops.feed(decoder.step(token)):
                yield piece
            if stops.stopped:
                generation.finish_reason = "stop"
                return
        if piece := stops.rest():
            yield piece

    def _tokens(
        self, request: GenerationRequest, prompt: list[int], deadline: float, generation: Generation
    ) -> Iterator[int]:
        cache, sampler = DynamicCache(), Sampler(request, self._device)
        pending = prompt
        for _ in range(request.max_tokens):
            while pending:
                if self._check(generation, deadline):
                    return
                logits = self._forward(pending[:PREFILL_TOKENS], cache)
                pending = pending[PREFILL_TOKENS:]
            token = sampler.choose(logits)
            yield token
            pending = [token]

    def _check(self, generation: Generation, deadline: float) -> bool:
        if generation.cancelled:
            generation.finish_reason = "cancelled"
        elif time.monotonic() > deadline:
            raise TookTooLong(f"The answer was not finished within {self._deadline_seconds:.0f} s, so it was stopped.")
        return generation.cancelled

    def _forward(self, tokens: list[int], cache: DynamicCache) -> torch.Tensor:
        """Read tokens into the cache; returns the logits of the next one, of shape (vocabulary,)."""
        try:
            with torch.inference_mode():
                ids = torch.tensor([tokens], device=self._device)
                out = self._wardrobe.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
                logits: torch.Tensor = out.logits[0, -1].float()
                return logits
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
                raise
            torch.cuda.empty_cache()
            raise OutOfMemory(
                "There is no memory left for this request; ask for less, or again in a moment."
            ) from error


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return {token for token in [*listed, tokenizer.eos_token_id] if token is not None}
