"""What is asked of an engine and what comes back: a request, and the text as it is being written."""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class GenerationRequest:
    """`adapter` None is the base model. `temperature` 0 is greedy; otherwise sampled, repeatably if `seed` is set."""

    messages: tuple[dict[str, str], ...]
    adapter: str | None = None
    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Generation(Iterator[str]):
    """The pieces of one answer. Iterating waits for a turn and writes; one thread iterates, any thread may cancel."""

    def __init__(
        self, prompt_tokens: int, begin: Callable[["Generation"], Generator[str]], end: Callable[[], None]
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = 0
        self.finish_reason: FinishReason = "length"
        self._cancelled = threading.Event()
        self._pieces = begin(self)
        self._end = end

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the rest."""
        return self._cancelled.is_set()

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except BaseException:  # the last piece was read, or writing failed
            self._end()
            raise

    def cancel(self) -> None:
        """Stop within one token step; the iterator then ends. Any thread may ask."""
        self._cancelled.set()

    def close(self) -> None:
        """Stop and give the turn back; for the thread that iterates."""
        self.cancel()
        self._pieces.close()
        self._end()
