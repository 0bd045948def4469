"""Linear layers on which several LoRA adapters work in one batch: y += scale · B(A x) with each token's own A and B
(Hu et al. 2021; the batching after Punica, Chen et al. 2023). A token without an adapter gets the base's result alone.

The A of all adapters of a step lie on top of each other, so that two products serve them all; a mask keeps of the first
only the part that belongs to the token's adapter. DoRA (Liu et al. 2024) is the same with a gain for each output.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn


class Delta(NamedTuple):
    """What an adapter does to one layer: `down` (rank, inputs), `up` (rank, outputs) with the scale in it, and DoRA's
    `gain` (outputs), where there is one."""

    down: torch.Tensor
    up: torch.Tensor
    gain: torch.Tensor | None = None


Deltas = Mapping[str, Delta]  # by the layer's name in the model


class Mix:
    """Which adapters work in this step, and on which tokens. Every layer of a model looks at the same one."""

    def __init__(self) -> None:
        self.members: tuple[Deltas, ...] = ()
        self._owners: list[int] = []
        self._masks: dict[tuple[int, ...], torch.Tensor] = {}

    def arrange(self, deltas: Sequence[Deltas | None], sizes: Sequence[int]) -> None:
        """For the next step: the adapter (None is the base) and the number of tokens of each piece of the line."""
        working = {id(each): each for each in deltas if each is not None}
        known = {id(each): at for at, each in enumerate(self.members)}
        # those who pause stay, so that nothing is stacked anew for each coming and going; a single one needs no mask
        if not working.keys() <= known.keys() or (len(working) == 1 and len(known) > 1):
            self.members = tuple(working.values())
            known = {key: at for at, key in enumerate(working)}
        numbers = [known.get(id(each), -1) for each in deltas] if working else []
        self._owners = [member for member, size in zip(numbers, sizes, strict=False) for _ in range(size)]
        self._masks.clear()

    def forget(self) -> None:
        """Hold no adapter any more."""
        self.members, self._owners = (), []

    @property
    def idle(self) -> bool:
        """Whether no token of this step has an adapter."""
        return not self._owners

    @property
    def alone(self) -> bool:
        """Whether all tokens have the same adapter."""
        return len(self.members) == 1 and -1 not in self._owners

    def mask(self, ranks: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """1 where a token (row) has the adapter to which the rank (column) belongs, else 0."""
        if ranks not in self._masks:
            columns = [member for member, rank in enumerate(ranks) for _ in range(rank)]
            own = torch.tensor(self._owners)[:, None] == torch.tensor(columns)[None]
            self._masks[ranks] = own.to(like)
        return self._masks[ranks]

    def owners(self, device: torch.device) -> torch.Tensor:
        """For each token the number of its adapter, -1 for the base."""
        return torch.tensor(self._owners, device=device)


class MixedLinear(nn.Module):
    """A linear layer of the base, and whatever adapters the mix says."""

    def __init__(self, base: nn.Module, name: str, mix: Mix) -> None:
        super().__init__()
        self.base = base
        self._name = name
        self._mix = mix
        self._stacked_for: tuple[Deltas, ...] = ()
        self._stack: tuple[torch.Tensor, torch.Tensor] | None = None
        self._ranks: tuple[int, ...] = ()
        self._gains: torch.Tensor | None = None

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (1, tokens, inputs) to (1, tokens, outputs)."""
        out: torch.Tensor = self.base(states)
        if self._mix.idle:
            return out
        if self._stacked_for is not self._mix.members:
            self._restack()
        if self._stack is None:
            return out
        if self._gains is not None:
            out = self._amplified(out)
        down, up = self._stack
        inner = states[0] @ down.T
        if not self._mix.alone:
            inner *= self._mix.mask(self._ranks, inner)
        out[0].addmm_(inner, up)
        return out

    def _restack(self) -> None:
        found = [members.get(self._name) for members in self._mix.members]
        present = [delta for delta in found if delta]
        self._stacked_for = self._mix.members
        self._ranks = tuple(delta.down.shape[0] if delta else 0 for delta in found)
        self._stack, self._gains = None, None
        if len(present) == 1:
            self._stack = present[0].down, present[0].up
        elif present:
            self._stack = torch.cat([delta.down for delta in present]), torch.cat([delta.up for delta in present])
        if any(delta.gain is not None for delta in present):
            plain = torch.ones_like(present[0].up[0])
            gains = [delta.gain if delta and delta.gain is not None else plain for delta in found]
            self._gains = torch.stack([*gains, plain])  # the last, at -1, is the base's

    def _amplified(self, out: torch.Tensor) -> torch.Tensor:
        assert self._gains is not None
        gains = self._gains[self._mix.owners(out.device)]
        bias = getattr(self.base, "bias", None)
        return out * gains if bias is None else (out - bias) * gains + bias


def mix_adapters_into(model: nn.Module) -> Mix:
    """Exchange a model's linear layers for such; returns what tells them whom to serve."""
    mix = Mix()
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    for name, module in linear:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, MixedLinear(module, name, mix))
    return mix


def layers(model: nn.Module) -> dict[str, Any]:
    """The linear layers of the base by name, as adapters know them."""
    return {name: module.base for name, module in model.named_modules() if isinstance(module, MixedLinear)}
