"""One request while it is being answered: what is still to be read, and what becomes of each token that is chosen."""

import time
from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from concurrent.futures import Future

import torch
from tokenizers import Tokenizer

from bot.serving.attention import Piece
from bot.serving.generation import Generation, GenerationRequest
from bot.serving.mixing import Adaptation
from bot.serving.refusals import TookTooLong
from bot.serving.sampling import Sampler
from bot.serving.text import PieceDecoder, StopFilter


class Row:
    """A request's state. It may take so many `seconds`; `owner` is the loaded adapter, None for the base."""

    def __init__(
        self,
        request: GenerationRequest,
        prompt: list[int],
        seconds: float,
        owner: Hashable = None,
        arriving: "Future[Adaptation] | None" = None,
    ) -> None:
        self.request = request
        self.prompt = prompt
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self.owner = owner
        self._arriving = arriving
        self.generation = Generation(len(prompt))
        self.slot = -1
        self.position = 0  # tokens in the slot
        self.pending = prompt
        self.keep = 0  # how many tokens of the prompt are to be remembered for others
        self._sampler: Sampler | None = None
        self._decoder: PieceDecoder | None = None
        self._stops = StopFilter(request.stop)

    @property
    def writing(self) -> bool:
        """Whether the prompt is read, so that each step gives a token."""
        return self.position >= len(self.prompt)

    @property
    def ready(self) -> bool:
        """Whether the adapter is in memory, or cannot be brought there."""
        return self._arriving is None or self._arriving.done()

    @property
    def adaptation(self) -> Adaptation | None:
        """What the adapter does, None for the base; raises what went wrong with reading it."""
        return self._arriving.result() if self._arriving else None

    @property
    def late(self) -> bool:
        """Whether the deadline is over."""
        return time.monotonic() > self._deadline

    @property
    def tokens_at_most(self) -> int:
        """Room that the row may need in its slot."""
        return len(self.prompt) + self.request.max_tokens

    def piece(self, most: int) -> Piece:
        """The next tokens to read, at most so many. One to be kept for others ends a piece."""
        if self.position < self.keep:
            most = min(most, self.keep - self.position)
        return Piece(self.slot, self.position, self.pending[:most], self.writing)

    def soft_rows(self, piece: Piece) -> torch.Tensor | None:
        """What stands for the piece's virtual tokens: (tokens, hidden), None where it has none."""
        adaptation = self.adaptation
        if adaptation is None or piece.position >= len(adaptation.soft_prompt):
            return None
        return adaptation.soft_prompt[piece.position : piece.position + len(piece.tokens)]

    def read(self, piece: Piece) -> bool:
        """The piece is in the slot; whether the next token can be chosen."""
        self.position += len(piece.tokens)
        self.pending = self.pending[len(piece.tokens) :]
        return not self.pending

    def choose(self, logits: torch.Tensor) -> int:
        """A token by the request's own sampler."""
        if self._sampler is None:
            self._sampler = Sampler(self.request, logits.device)
        return self._sampler.choose(logits)

    def write(self, token: int, tokenizer: Tokenizer, ends: AbstractSet[int]) -> bool:
        """Hand on the text of a chosen token; whether the answer is complete."""
        generation = self.generation
        generation.completion_tokens += 1
        if token in ends:
            generation.finish_reason = "stop"
            return True
        self._decoder = self._decoder or PieceDecoder(tokenizer)
        if piece := self._stops.feed(self._decoder.step(token)):
            generation.arrive(piece)
        if self._stops.stopped:
            generation.finish_reason = "stop"
            return True
        self.pending = [token]
        return generation.completion_tokens == self.request.max_tokens

    def end(self) -> None:
        """The answer is complete."""
        if piece := self._stops.rest():
            self.generation.arrive(piece)
        self.generation.arrive(None)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self.generation.arrive(error)

    def expire(self) -> None:
        """End because it took too long."""
        self.fail(TookTooLong(f"The answer was not finished within {self._seconds:.0f} s, so it was stopped."))

    def leave(self) -> None:
        """End because nobody wants the rest."""
        self.generation.finish_reason = "cancelled"
        self.generation.arrive(None)
