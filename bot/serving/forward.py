"""One forward of the model over the pieces of a step: what the batch asks for, and how torch does it."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from bot.serving.attention import Line, Piece
from bot.serving.slots import Slots


class Forward(Protocol):
    """Reads the pieces into their slots. Those of one token come first, in the order of their slots; the mix and the
    embedding have been told whom they serve."""

    def logits(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """For the token after each piece, float32 of shape (pieces, vocabulary)."""
        ...


class TorchForward:
    """transformers' own forward: any model, any device, every kind of adapter."""

    def __init__(self, model: Any, slots: Slots) -> None:
        self._model = model
        self._slots = slots

    def logits(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """See `Forward`."""
        line = Line(pieces, self._slots, self._model.device)
        out = self._model(
            input_ids=line.tokens[None],
            position_ids=line.places[None],
            use_cache=False,
            logits_to_keep=line.ends,
            line=line,
        )
        logits: torch.Tensor = out.logits[0].float()
        return logits
