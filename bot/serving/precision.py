"""Whether this machine computes in bfloat16, or can only store it."""

import torch

# What processors call it: AVX-512 and AMX on x86, the extension of ARM
_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")


def has_bfloat16() -> bool:
    """Where it has not, a CPU takes longer in bfloat16 than in float32."""
    return torch.cuda.is_available() or any(torch.cpu.get_capabilities().get(name) for name in _CAPABILITIES)
