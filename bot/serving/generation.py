"""What is asked of an engine and what comes back: a request, and the text as it is being written."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal

FinishReason = Literal["stop", "length", "cancelled"]
Arrival = str | Exception | None  # a piece of text, what went wrong, or the end


@dataclass(frozen=True)
class GenerationRequest:
    """`adapter` None is the base model. `temperature` 0 is greedy; otherwise sampled, repeatably if `seed` is set. What
    is asked in the background gives way to people who wait."""

    messages: tuple[dict[str, str], ...]
    adapter: str | None = None
    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    background: bool = False


class Generation(Iterator[str]):
    """The pieces of one answer, written whether or not anybody reads. One thread iterates, any thread may cancel.
    Tokens of the prompt are all that stand in the context before the answer, those of a soft prompt, too."""

    def __init__(self, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.cached_tokens = 0  # of the prompt, how many had been read before
        self.completion_tokens = 0
        self.finish_reason: FinishReason = "length"
        self._cancelled = threading.Event()
        self._unread: SimpleQueue[Arrival] = SimpleQueue()
        self._put: Callable[[Arrival], None] = self._unread.put
        self._handing_over = threading.Lock()
        self._over = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the rest."""
        return self._cancelled.is_set()

    def __next__(self) -> str:
        if self._over:
            raise StopIteration
        arrival = self._unread.get()
        if isinstance(arrival, str):
            return arrival
        self._over = True
        raise StopIteration if arrival is None else arrival

    def follow(self, reader: Callable[[Arrival], None]) -> None:
        """Have each arrival given to `reader` instead, by the thread that writes; those that were missed come first."""
        with self._handing_over:
            while not self._unread.empty():
                reader(self._unread.get())
            self._put = reader

    def cancel(self) -> None:
        """Stop within one token step; the iterator then ends. Any thread may ask."""
        self._cancelled.set()

    def close(self) -> None:
        """`cancel`, and read no further."""
        self.cancel()
        self._over = True

    def arrive(self, arrival: Arrival) -> None:
        """For the engine: the next piece, or the end."""
        with self._handing_over:
            self._put(arrival)
