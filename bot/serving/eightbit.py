"""Linear layers in 8 bits for the CPU: weights as whole numbers with a scale for each output, states in bfloat16.

Few tokens wait for the memory that the weights are read from, and a kernel of torch's reads them as they are, which is
a quarter of what float32 takes. Many tokens wait for the products, so there the weights are made bfloat16 first, which
holds every whole number of 8 bits exactly. Either way no states are rounded to 8 bits: LOG.md has what that costs.
"""

import torch
from torch import nn
from torch.nn.functional import linear as product

LARGEST = 127
FEW = 16  # rows, up to which reading the weights takes longer than the products


class EightBitLinear(nn.Module):
    """In place of a `nn.Linear`; the states and the result are bfloat16."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        exact = weight.float()
        scale = exact.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / LARGEST
        scale = scale.to(torch.bfloat16)
        self.scale = nn.Buffer(scale)
        self.short = nn.Buffer((exact / scale.float()[:, None]).round_().clamp_(-LARGEST, LARGEST).to(torch.int8))
        self.bias = bias

    def whole_weight(self) -> torch.Tensor:
        """The weights as floats, of shape (outputs, inputs)."""
        return self.short.float() * self.scale.float()[:, None]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (..., inputs) to (..., outputs)."""
        rows = states.reshape(-1, self.in_features)
        if len(rows) <= FEW:
            out = torch._weight_int8pack_mm(rows, self.short, self.scale)
        else:
            out = product(rows, self.short.to(rows.dtype)).mul_(self.scale)
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
