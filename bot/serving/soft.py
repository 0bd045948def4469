"""Soft prompts: rows that are learned and stand before the prompt as if they were embeddings of words (prompt tuning,
Lester et al. 2021, arXiv:2104.08691; P-tuning, Liu et al. 2021, arXiv:2103.10385).

They travel as tokens, by ids at and beyond the vocabulary's size, so that slots, kept beginnings and reading in pieces
treat them like any other. No such id is ever chosen: the model's head has none.
"""

from collections.abc import Sequence

import torch
from torch import nn


class SoftEmbedding(nn.Module):
    """The base's embedding for ids of its vocabulary, and what it was given for those beyond."""

    def __init__(self, base: nn.Embedding) -> None:
        super().__init__()
        self.base = base
        self._rows: torch.Tensor | None = None

    def ids(self, count: int) -> range:
        """The ids of so many virtual tokens."""
        return range(self.base.num_embeddings, self.base.num_embeddings + count)

    def arrange(self, rows: Sequence[torch.Tensor]) -> None:
        """For the next step: rows of soft prompts, each (virtual tokens, hidden), in the order of the line."""
        self._rows = torch.cat(list(rows)) if rows else None

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens (1, line) to states (1, line, hidden)."""
        if self._rows is None:
            states: torch.Tensor = self.base(tokens)
            return states
        virtual = tokens >= self.base.num_embeddings
        states = self.base(tokens.masked_fill(virtual, 0))
        states[virtual] = self._rows
        return states
