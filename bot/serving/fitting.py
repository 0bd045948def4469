"""From an adapter's files to what it does to each layer of the base: names and shapes must fit, or it is refused."""

import math
from typing import Any

import torch
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key
from torch import nn

from bot.serving.adapters import AdapterFiles
from bot.serving.mixed import Delta

PREFIX = "base_model.model."
DOWN, UP, MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"


def fit(files: AdapterFiles, layers: dict[str, nn.Module], head: str, dtype: torch.dtype) -> dict[str, Delta]:
    """The adapter's deltas by layer; `head` is the name of the output layer, which "all-linear" leaves out.

    Raises `ValueError` with what does not fit.
    """
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in files.tensors.items()}
    targets = [name for name in layers if _is_target(files.config, name, head)]
    if not targets:
        raise ValueError(f"no layer is named {files.config.target_modules}")
    deltas = {name: _delta(files.config, tensors, name, layers[name], dtype) for name in targets}
    if tensors:
        raise ValueError(f"{len(tensors)} tensors are unexpected or missing, among them {next(iter(tensors))}")
    return deltas


def _is_target(config: Any, name: str, head: str) -> bool:
    if config.target_modules == "all-linear":
        return name != head
    return bool(check_target_module_exists(config, name))


def _delta(config: Any, tensors: dict[str, torch.Tensor], name: str, layer: nn.Module, dtype: torch.dtype) -> Delta:
    parts = [name + DOWN, name + UP, *([name + MAGNITUDE] if config.use_dora else [])]
    if missing := [part for part in parts if part not in tensors]:
        raise ValueError(f"{len(missing)} tensors are unexpected or missing, among them {missing[0]}")
    down, up, *magnitude = (tensors.pop(part).float() for part in parts)
    rank = config.rank_pattern.get(get_pattern_key(config.rank_pattern.keys(), name), config.r)
    alpha = config.alpha_pattern.get(get_pattern_key(config.alpha_pattern.keys(), name), config.lora_alpha)
    wanted = [(rank, layer.in_features), (layer.out_features, rank), *([(layer.out_features,)] * len(magnitude))]
    for part, tensor, shape in zip(parts, (down, up, *magnitude), wanted, strict=True):
        if tensor.shape != shape:
            raise ValueError(f"size mismatch for {part}: {tuple(tensor.shape)} instead of {shape}")
    up *= alpha / (math.sqrt(rank) if config.use_rslora else rank)
    gain = magnitude[0] / (_weight(layer) + up @ down).norm(dim=1) if magnitude else None
    if gain is not None:
        up *= gain[:, None]
    device = next(iter(layer.state_dict().values())).device
    return Delta(*(part.to(device, dtype).contiguous() for part in (down, up.T)), gain=_on(gain, device, dtype))


def _weight(layer: Any) -> torch.Tensor:
    whole = layer.whole_weight() if hasattr(layer, "whole_weight") else layer.weight
    return whole.detach().float().cpu()


def _on(gain: torch.Tensor | None, device: torch.device, dtype: torch.dtype) -> torch.Tensor | None:
    return None if gain is None else gain.to(device, dtype)
