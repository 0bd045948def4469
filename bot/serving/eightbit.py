"""Linear layers and adapters in 8 bits for the CPU: weights as whole numbers with a scale for each output, states in
bfloat16.

Few tokens wait for the memory that the weights are read from, and a kernel of torch's reads them as they are, which is
a quarter of what float32 takes. Many tokens wait for the products, so there the weights are made bfloat16 first, which
holds every whole number of 8 bits exactly. Either way no states are rounded to 8 bits: LOG.md has what that costs.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

LARGEST = 127
FEW = 16  # rows, up to which reading the weights takes longer than the products
BLOCK = 16  # inputs that torch's kernel reads at once, also beyond the end


class Rounded(NamedTuple):
    """A matrix (outputs, inputs) of whole numbers in 8 bits, and a bfloat16 scale for each output."""

    short: torch.Tensor
    scale: torch.Tensor


def rounded(weight: torch.Tensor) -> Rounded:
    """The nearest that 8 bits hold."""
    exact = weight.float()
    scale = (exact.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / LARGEST).to(torch.bfloat16)
    return Rounded(_short(exact, scale.float()[:, None]), scale)


def rounded_pair(down: torch.Tensor, up: torch.Tensor) -> tuple[Rounded, torch.Tensor]:
    """Of up @ down both, filled up with ranks of zeros. A rank has one scale for its row of `down` and its column of
    `up`, which comes with `down`."""
    empty = -len(down) % BLOCK
    down, up = functional.pad(down, (0, 0, 0, empty)), functional.pad(up, (0, empty))
    first, widest = rounded(down), up.float().abs().amax(dim=0).clamp_min(torch.finfo(torch.float32).tiny)
    scale = (first.scale.float() * widest / LARGEST).to(torch.bfloat16)  # rounded first, so that it is met exactly
    return Rounded(first.short, scale), _short(up.float(), scale.float() / first.scale.float())


def product(states: torch.Tensor, matrix: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
    """states (rows, inputs) times a matrix (outputs, inputs) of floats, or of 8 bits with a scale for each output."""
    if matrix.dtype != torch.int8:
        return functional.linear(states, matrix)
    if len(states) <= FEW and states.shape[1] % BLOCK == 0:
        return torch._weight_int8pack_mm(states, matrix, states.new_ones(len(matrix)) if scale is None else scale)
    out = functional.linear(states, matrix.to(states.dtype))
    return out if scale is None else out.mul_(scale)


class EightBitLinear(nn.Module):
    """In place of a `nn.Linear`; the states and the result are bfloat16."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        short, scale = rounded(weight)
        self.short, self.scale = nn.Buffer(short), nn.Buffer(scale)
        self.bias = bias

    def whole_weight(self) -> torch.Tensor:
        """The weights as floats, of shape (outputs, inputs)."""
        return self.short.float() * self.scale.float()[:, None]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (..., inputs) to (..., outputs)."""
        out = product(states.reshape(-1, self.in_features), self.short, self.scale)
        if self.bias is not None:
            out += self.bias
        return out.reshape(*states.shape[:-1], self.out_features)


def linear(weight: torch.Tensor, bias: torch.Tensor | None, eight_bits: bool) -> nn.Linear | EightBitLinear:
    """A layer with these weights, in 8 bits or as they are."""
    if eight_bits:
        return EightBitLinear(weight, bias)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer


def _short(exact: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (exact / scale).round_().clamp_(-LARGEST, LARGEST).to(torch.int8)
