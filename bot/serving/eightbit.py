"""Linear layers in 8 bits for the CPU: weights with a scale for each output, states with a scale for each token.

The sums are whole numbers, so a token's result does not depend on the tokens that travel with it, as it does where a
batch shares one scale (torch's own dynamic quantization). After Dettmers et al. 2022, without the outliers apart.
"""

from typing import Any

import torch
from torch import nn

LARGEST = 127


class EightBitLinear(nn.Module):
    """In place of a `nn.Linear`; the states and the result stay floats."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        scale = weight.abs().amax(dim=1).clamp_min(torch.finfo(weight.dtype).tiny) / LARGEST
        self.scale = nn.Buffer(scale)
        self.short = nn.Buffer((weight / scale[:, None]).round_().to(torch.int8))
        self.bias = bias

    def whole_weight(self) -> torch.Tensor:
        """The weights as floats, of shape (outputs, inputs)."""
        return self.short.float() * self.scale[:, None]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """states (..., inputs) to (..., outputs)."""
        rows = states.reshape(-1, self.in_features)
        scale = rows.abs().amax(dim=-1, keepdim=True).div_(LARGEST).clamp_min_(torch.finfo(rows.dtype).tiny)
        short = (rows / scale).round_().to(torch.int8)
        out: Any = torch._int_mm(short, self.short.T).to(rows.dtype).mul_(scale).mul_(self.scale)
        if self.bias is not None:
            out += self.bias
        return out.reshape(*states.shape[:-1], self.out_features)  # type: ignore[no-any-return]


def linear(weight: torch.Tensor, bias: torch.Tensor | None, eight_bits: bool) -> nn.Linear | EightBitLinear:
    """A layer with these weights, in 8 bits or as they are."""
    if eight_bits:
        return EightBitLinear(weight, bias)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer
