"""Linear layers on which several LoRA adapters work in one batch: y += scale · B(A x) with each token's own A and B
(Hu et al. 2021; the batching after Punica, Chen et al. 2023). A token without an adapter gets the base's result alone.

The A of all adapters of a step lie on top of each other, so that two products serve them all; a mask keeps of the first
only the part that belongs to the token's adapter. DoRA (Liu et al. 2024) is the same with a gain for each output.
Layers that read the same states (query, key and value; gate and up) are one layer here, which the model does not see.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from bot.serving.eightbit import EightBitLinear, linear, product
from bot.serving.mixing import Adaptation, Delta, Deltas, Mix

SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))  # as Llama and its relatives name them


class Layer(NamedTuple):
    """One of the base's layers, as adapters know it; `like` is a tensor of the kind that its adapters should be."""

    in_features: int
    out_features: int
    like: torch.Tensor
    weight: Callable[[], torch.Tensor]


class MixedLinear(nn.Module):
    """Layers of the base that read the same states, and whatever adapters the mix says."""

    def __init__(self, names: Sequence[str], parts: Sequence[nn.Linear], mix: Mix, eight_bits: bool) -> None:
        super().__init__()
        biases: list[Any] = [part.bias for part in parts if part.bias is not None]
        weight = parts[0].weight.data if len(parts) == 1 else torch.cat([part.weight.data for part in parts])
        self.base = linear(weight, torch.cat(biases) if biases else None, eight_bits)
        self.sizes = [part.out_features for part in parts]
        self.names = list(names)
        self._mix = mix
        self._stacked_for: tuple[Deltas, ...] = ()
        self._stack: Delta | None = None
        self.ranks: tuple[int, ...] = ()
        self._gains: torch.Tensor | None = None

    def layers(self) -> Iterator[tuple[str, Layer]]:
        """The base's layers by name."""
        base = self.base
        like = base.short if isinstance(base, EightBitLinear) else base.weight
        for at, (name, size) in enumerate(zip(self.names, self.sizes, strict=True)):
            yield name, Layer(self.base.in_features, size, like, partial(self._weight, at))

    def _weight(self, part: int) -> torch.Tensor:
        base = self.base
        whole: torch.Tensor = base.whole_weight() if isinstance(base, EightBitLinear) else base.weight.detach()
        return whole.narrow(0, sum(self.sizes[:part]), self.sizes[part])

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (1, tokens, inputs) to (1, tokens, outputs of all parts)."""
        out: torch.Tensor = self.base(states)
        stack = None if self._mix.idle else self.stack()
        if stack is None:
            return out
        if self._gains is not None:
            out = self._amplified(out)
        down, up, _, scale = stack
        inner = product(states[0], down, scale)
        if not self._mix.alone:
            inner *= self._mix.mask(self.ranks, inner)
        return out.add_(product(inner, up))

    def joined(self, deltas: Deltas) -> Delta | None:
        """What one adapter does to the parts, as one: each `up` at the outputs of its part and at its own ranks, zeros
        elsewhere. None where it does nothing here."""
        found = [(at, deltas[name]) for at, name in enumerate(self.names) if name in deltas]
        if not found or len(self.names) == 1:
            return found[0][1] if found else None
        each = [delta for _, delta in found]
        up = each[0].up.new_zeros(sum(self.sizes), sum(len(delta.down) for delta in each))
        rank = 0
        for part, delta in found:
            first = sum(self.sizes[:part])
            up[first : first + self.sizes[part], rank : rank + len(delta.down)] = delta.up
            rank += len(delta.down)
        gain = None
        if any(delta.gain is not None for delta in each):
            parts = [deltas.get(name) for name in self.names]
            gain = torch.cat([_gain(part, size, up) for part, size in zip(parts, self.sizes, strict=True)])
        return Delta(torch.cat([delta.down for delta in each]), up, gain, _scale(each))

    def stack(self) -> Delta | None:
        """The A and B of all adapters of the mix, without their gains; None if none of them does anything here."""
        if self._stacked_for is not self._mix.members:
            self._restack()
        return self._stack

    def _restack(self) -> None:
        found = [member.get(self.names[0]) for member in self._mix.members]
        each = [delta for delta in found if delta]
        self._stacked_for = self._mix.members
        self.ranks = tuple(len(delta.down) if delta else 0 for delta in found)
        self._stack, self._gains = None, None
        if not each:
            return
        self._stack = each[0]
        if len(each) > 1:
            down, up = torch.cat([delta.down for delta in each]), torch.cat([delta.up for delta in each], dim=1)
            self._stack = Delta(down, up, scale=_scale(each))
        if any(delta.gain is not None for delta in each):
            # the last, at -1, is the base's
            self._gains = torch.stack([_gain(delta, sum(self.sizes), each[0].up) for delta in (*found, None)])

    def _amplified(self, out: torch.Tensor) -> torch.Tensor:
        assert self._gains is not None
        gains = self._gains[self._mix.owners(out.device)]
        bias: Any = getattr(self.base, "bias", None)
        amplified = out * gains if bias is None else (out - bias) * gains + bias
        return amplified.to(out.dtype)


class Part(nn.Module):
    """Stands where one of several layers stood that read the same states; the first that is asked works for all."""

    def __init__(self, whole: "_Whole", number: int) -> None:
        super().__init__()
        self._whole = [whole]  # in a list, so that the layers are not listed again for each part
        self._number = number

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (1, tokens, inputs) to (1, tokens, outputs of this part)."""
        return self._whole[0].part(self._number, states)


class _Whole:
    """The results for the states that were seen last, until every part has fetched its own."""

    def __init__(self, layer: MixedLinear) -> None:
        self._layer = layer
        self._states: torch.Tensor | None = None
        self._results: list[torch.Tensor | None] = []

    def part(self, number: int, states: torch.Tensor) -> torch.Tensor:
        if states is not self._states or self._results[number] is None:
            self._states, self._results = states, list(self._layer(states).split(self._layer.sizes, dim=-1))
        found = self._results[number]
        assert found is not None
        self._results[number] = None
        if not any(result is not None for result in self._results):
            self._states = None
        return found


def join(adaptation: Adaptation, mixed: Sequence[MixedLinear]) -> Adaptation:
    """An adapter as the layers want it: its deltas by the name of each layer's first part."""
    joined = {layer.names[0]: delta for layer in mixed if (delta := layer.joined(adaptation.deltas))}
    return adaptation._replace(deltas=joined)


def mix_adapters_into(model: nn.Module, eight_bits: bool = False) -> tuple[Mix, list[MixedLinear]]:
    """Exchange a model's linear layers for such; returns what tells them whom to serve, and them."""
    mix, mixed = Mix(), []
    for path, parent in list(model.named_modules()):
        own = {name: child for name, child in parent.named_children() if type(child) is nn.Linear}
        for names in _families(own):
            full = [f"{path}.{name}" if path else name for name in names]
            layer = MixedLinear(full, [own[name] for name in names], mix, eight_bits)
            mixed.append(layer)
            if len(names) == 1:
                setattr(parent, names[0], layer)
                continue
            whole = _Whole(layer)
            for number, name in enumerate(names):
                setattr(parent, name, Part(whole, number))
    return mix, mixed


def _families(own: dict[str, nn.Linear]) -> list[tuple[str, ...]]:
    families = []
    for names in SIBLINGS:
        parts = [own[name] for name in names if name in own]
        shapes = {(part.in_features, part.bias is None) for part in parts}
        if len(parts) == len(names) and len(shapes) == 1:
            families.append(names)
    taken = {name for names in families for name in names}
    return [*families, *((name,) for name in own if name not in taken)]


def _gain(delta: Delta | None, size: int, like: torch.Tensor) -> torch.Tensor:
    return delta.gain if delta and delta.gain is not None else torch.ones(size, device=like.device)


def _scale(each: Sequence[Delta]) -> torch.Tensor | None:
    scales = [delta.scale for delta in each if delta.scale is not None]
    return torch.cat(scales) if scales else None
