"""What an adapter does to the base, and which adapters work in a step, on which of its tokens."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch


class Delta(NamedTuple):
    """What an adapter does to one layer: `down` (rank, inputs), `up` (outputs, rank) with alpha in it, DoRA's `gain`
    (outputs), where there is one, and in 8 bits the `scale` (rank) of both."""

    down: torch.Tensor
    up: torch.Tensor
    gain: torch.Tensor | None = None
    scale: torch.Tensor | None = None


Deltas = Mapping[str, Delta]  # by the layer's name in the model; of layers that are joined the first one's


class Adaptation(NamedTuple):
    """What an adapter does: LoRA to the layers that have a delta, a soft prompt (virtual tokens, hidden) by standing
    before the prompt. Either may be empty."""

    deltas: Deltas
    soft_prompt: torch.Tensor

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        tensors = [tensor for delta in self.deltas.values() for tensor in delta if tensor is not None]
        return sum(tensor.nbytes for tensor in [*tensors, self.soft_prompt])


class Mix:
    """Every layer of a model looks at the same one."""

    def __init__(self) -> None:
        self.members: tuple[Deltas, ...] = ()
        self.alone = False  # whether all tokens have the same adapter
        self._owners: list[int] = []
        self._masks: dict[tuple[int, ...], torch.Tensor] = {}

    def arrange(self, deltas: Sequence[Deltas | None], sizes: Sequence[int]) -> None:
        """For the next step: deltas (None or empty is the base) and the number of tokens of each piece of the line."""
        working = {id(each): each for each in deltas if each}
        known = {id(each): at for at, each in enumerate(self.members)}
        # those who pause stay, so that nothing is stacked anew for each coming and going; a single one needs no mask
        if not working.keys() <= known.keys() or (len(working) == 1 and len(known) > 1):
            self.members = tuple(working.values())
            known = {key: at for at, key in enumerate(working)}
        numbers = [known.get(id(each), -1) for each in deltas] if working else []
        self._owners = [member for member, size in zip(numbers, sizes, strict=False) for _ in range(size)]
        self.alone = len(self.members) == 1 and -1 not in self._owners
        self._masks.clear()

    @property
    def amplifies(self) -> bool:
        """Whether an adapter of the mix has gains."""
        return any(delta.gain is not None for member in self.members for delta in member.values())

    def forget(self) -> None:
        """Hold no adapter any more."""
        self.members, self._owners = (), []

    @property
    def idle(self) -> bool:
        """Whether no token of this step has an adapter."""
        return not self._owners

    def mask(self, ranks: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """1 where a token (row) has the adapter to which the rank (column) belongs, else 0."""
        if ranks not in self._masks:
            self._masks[ranks] = belonging(torch.tensor(self._owners), ranks).to(like)
        return self._masks[ranks]

    def owner(self, at: int) -> int:
        """The number of the adapter of the token at this place in the line; -1 for the base, and for no place (-1)."""
        return self._owners[at] if self._owners and at >= 0 else -1

    def owners(self, device: torch.device) -> torch.Tensor:
        """For each token the number of its adapter, -1 for the base."""
        return torch.tensor(self._owners, device=device)


def belonging(owners: torch.Tensor, ranks: tuple[int, ...]) -> torch.Tensor:
    """owners (..., ) to (..., sum of ranks): 1 where the rank is of the owner's adapter, else 0; `ranks` are how many
    each adapter has."""
    columns = [member for member, rank in enumerate(ranks) for _ in range(rank)]
    return (owners[..., None] == torch.tensor(columns, dtype=torch.long)).float()
