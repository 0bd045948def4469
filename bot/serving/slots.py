"""The memory of what was read: keys and values of every running request, one slot each, as long as the longest needs.

On a CPU pages that were never written take no memory, so a slot costs what its tokens cost.
"""

from dataclasses import dataclass
from typing import Any

import torch

BLOCK = 256  # tokens by which the slots grow
CLEAN_AHEAD = 64  # tokens
KEPT_TOKENS = 1024  # longer slots are not kept when nobody needs them


@dataclass(frozen=True)
class Remembered:
    """Keys and values of a number of tokens, each of shape (layers, key heads, tokens, head dimension)."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return 2 * self.keys.nbytes


class Slots:
    """`count` slots of equal length. For the one thread that runs the model."""

    def __init__(self, config: Any, count: int, dtype: torch.dtype, device: torch.device) -> None:
        heads = config.num_attention_heads
        self._layers = config.num_hidden_layers
        self._heads = getattr(config, "num_key_value_heads", None) or heads
        self._dimension = getattr(config, "head_dim", None) or config.hidden_size // heads
        self._dtype, self._device = dtype, device
        self._free = list(range(count))
        self._clean = [0] * count  # how many tokens of each slot hold numbers of the one who has it, or zeros
        self._count = count
        self.lengths = [0] * count  # tokens of whoever holds the slot
        self.keys, self.values = self._empty(0), self._empty(0)

    @property
    def capacity(self) -> int:
        """Tokens that fit into a slot as it is now."""
        return self.keys.shape[3]

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return len(self._free)

    def take(self, tokens: int) -> int:
        """A free slot with room for so many tokens; where there is no memory, the device's own error, and no change."""
        if tokens > self.capacity:
            room = -(-tokens // BLOCK) * BLOCK
            keys, values = self._empty(room), self._empty(room)
            for slot, length in enumerate(self._clean):
                keys[:, slot, :, :length] = self.keys[:, slot, :, :length]
                values[:, slot, :, :length] = self.values[:, slot, :, :length]
            self.keys, self.values = keys, values
        slot = min(self._free)  # the lowest, so that those in use lie together
        self._free.remove(slot)
        return slot

    def clean(self, slots: int, length: int) -> None:
        """See to it that the first slots are numbers up to a length: a mask hides them, but no mask hides a NaN."""
        for slot in range(slots):
            start, end = self._clean[slot], min(length + CLEAN_AHEAD, self.capacity)
            if start < length:
                self.keys[:, slot, :, start:end] = 0
                self.values[:, slot, :, start:end] = 0
                self._clean[slot] = end

    def written(self, slot: int, tokens: int) -> None:
        """The slot holds so many tokens now."""
        self.lengths[slot] = tokens
        self._clean[slot] = max(self._clean[slot], tokens)

    def give_back(self, slot: int) -> None:
        """The slot is free again; when none is held, the memory of long ones is too."""
        self._free.append(slot)
        self._clean[slot] = self.lengths[slot] = 0
        if len(self._free) == self._count and self.capacity > KEPT_TOKENS:
            self._clean = [0] * self._count
            self.keys, self.values = self._empty(0), self._empty(0)

    def read(self, slot: int, tokens: int) -> Remembered:
        """A copy of the first tokens of a slot."""
        return Remembered(self.keys[:, slot, :, :tokens].clone(), self.values[:, slot, :, :tokens].clone())

    def write(self, slot: int, remembered: Remembered, tokens: int) -> None:
        """Begin a slot with tokens that were read before."""
        self.keys[:, slot, :, :tokens] = remembered.keys[:, :, :tokens]
        self.values[:, slot, :, :tokens] = remembered.values[:, :, :tokens]
        self.written(slot, tokens)

    def _empty(self, capacity: int) -> torch.Tensor:
        shape: list[int] = [self._layers, self._count, self._heads, capacity, self._dimension]
        return torch.empty(shape, dtype=self._dtype, device=self._device)
