"""Whether this machine computes in bfloat16, or can only store it, and weights that are kept in it for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

# What processors call it: AVX-512 and AMX on x86, the extension of ARM
_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")


def has_bfloat16() -> bool:
    """Where it has not, a CPU takes longer in bfloat16 than in float32."""
    return torch.cuda.is_available() or any(torch.cpu.get_capabilities().get(name) for name in _CAPABILITIES)


@contextmanager
def kept_in_bfloat16(model: nn.Module) -> Iterator[None]:
    """The weights of linear layers that nothing is learned in, in bfloat16 for a while. Autocast alone makes them anew
    from float32 for every product, which takes longer than the product."""
    exact = {
        layer: layer.weight
        for layer in model.modules()
        if isinstance(layer, nn.Linear) and not layer.weight.requires_grad
    }
    for layer, weight in exact.items():
        layer.weight = nn.Parameter(weight.to(torch.bfloat16), requires_grad=False)
    try:
        yield
    finally:
        for layer, weight in exact.items():
            layer.weight = weight
