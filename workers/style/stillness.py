"""Where a style may act: away from what general text is made of.

LoRA adds B A x to what a layer makes of its input x. Which inputs the base has where it answers general questions is
looked at beforehand, and every A is kept orthogonal to the directions in which most of them lie, so that there the
adapter hardly sees anything and the base says what it said (Wang et al. 2021, arXiv:2103.07113, section 4: learning in
the null space of what was learned before; for language models AlphaEdit, arXiv:2410.02355). What consultations have
besides is enough to learn a style from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from workers.style.batches import Example

OVERSAMPLED = 8  # directions (Halko et al. 2011, section 4.2)
SUMS_BYTES = 1024**3  # of what is looked at in one reading
PREFIX = "base_model.model."  # that peft puts before a layer's name

Directions = Mapping[str, torch.Tensor]  # by the layer's name, (inputs, directions), orthonormal columns


class _Seen:
    """The sum of x xᵀ over the inputs x, by layer. Layers that read the same share theirs."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.reads_as: dict[str, str] = {}
        self._last: tuple[str, Any] = ("", None)

    def look(self, name: str, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """A forward hook of the layer of this name."""
        first, states = self._last
        if inputs[0] is states:
            self.reads_as[name] = first
            return
        self.reads_as[name], self._last = name, (name, inputs[0])
        rows = inputs[0].flatten(0, -2).float()
        self.sums[name] = self.sums.get(name, 0) + rows.T @ rows


@torch.inference_mode()
def directions(base: Any, examples: Sequence[Example], wanted: Callable[[int], int]) -> Directions:
    """In each linear layer but the head, the directions in which most of its inputs lie while the examples are read;
    of so many inputs so many as are `wanted`."""
    found: dict[str, torch.Tensor] = {}
    for layers in _groups(base):
        seen = _Seen()
        watched = [part.register_forward_pre_hook(partial(seen.look, name)) for name, part in layers.items()]
        for one in examples:
            base.base_model(input_ids=torch.tensor([one.tokens], device=base.device))
        for each in watched:
            each.remove()
        largest = {name: _largest(total, wanted(len(total))) for name, total in seen.sums.items()}
        found |= {name: largest[first] for name, first in seen.reads_as.items()}
    return found


@torch.no_grad()
def keep_away(student: Any, still: Directions) -> None:
    """Leave of every A only what is orthogonal to the directions. A soft prompt has no A."""
    for name, weights in student.named_parameters():
        layer, _, of_adapter = name.removeprefix(PREFIX).partition(".lora_A.")
        if of_adapter and layer in still:
            weights -= (weights @ still[layer]) @ still[layer].T


def _groups(base: Any) -> Iterator[dict[str, nn.Module]]:
    """The layers that are looked at in one reading of the examples: all of a small model, some of a large one."""
    head, size, some = base.get_output_embeddings(), 0, dict[str, nn.Module]()
    for name, part in base.named_modules():
        if isinstance(part, nn.Linear) and part is not head:
            more = part.in_features**2 * torch.float32.itemsize
            if some and size + more > SUMS_BYTES:
                yield some
                size, some = 0, {}
            size, some[name] = size + more, part
    if some:
        yield some


def _largest(total: torch.Tensor, count: int) -> torch.Tensor:
    """An orthonormal basis of about the space of the largest eigenvectors, by subspace iteration from a start that is
    always the same (Halko et al. 2011, arXiv:0909.4061, algorithm 4.4)."""
    chance = torch.Generator(total.device).manual_seed(0)
    begun = torch.randn(len(total), min(count + OVERSAMPLED, len(total)), generator=chance, device=total.device)
    basis = torch.linalg.qr(total @ begun).Q
    basis = torch.linalg.qr(total @ basis).Q
    inner = torch.linalg.eigh(basis.T @ total @ basis).eigenvectors  # the smallest come first
    largest: torch.Tensor = basis @ inner[:, inner.shape[1] - count :]
    return largest
