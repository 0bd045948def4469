"""From an adapter's folder to what it does to each layer of the base: names and shapes must fit, or it is refused."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from bot.errors import AdapterRefused
from bot.serving.adapters import AdapterFiles, read_adapter
from bot.serving.mixed import Layer
from bot.serving.mixing import Delta

PREFIX = "base_model.model."
DOWN, UP, MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"

Layers = Mapping[str, Layer]


def read_deltas(folder: Path, bases: set[str], layers: Layers, head: str) -> dict[str, Delta]:
    """The adapter's deltas by layer, where and as the layers' weights are. `bases` are the base model's names, `head`
    is that of its output layer, which "all-linear" leaves out. Raises `AdapterRefused`."""
    files = read_adapter(folder, bases)
    try:
        return _fit(files, layers, head)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise AdapterRefused(f"The adapter in {folder} does not fit the base model: {error}") from error


def _fit(files: AdapterFiles, layers: Layers, head: str) -> dict[str, Delta]:
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in files.tensors.items()}
    targets = [name for name in layers if _is_target(files.config, name, head)]
    if not targets:
        raise ValueError(f"no layer is named {files.config.target_modules}")
    deltas = {name: _delta(files.config, tensors, name, layers[name]) for name in targets}
    if tensors:
        raise ValueError(f"{len(tensors)} tensors are unexpected or missing, among them {next(iter(tensors))}")
    return deltas


def _is_target(config: Any, name: str, head: str) -> bool:
    if config.target_modules == "all-linear":
        return name != head
    return bool(check_target_module_exists(config, name))


def _delta(config: Any, tensors: dict[str, torch.Tensor], name: str, layer: Layer) -> Delta:
    parts = [name + DOWN, name + UP, *([name + MAGNITUDE] if config.use_dora else [])]
    if missing := [part for part in parts if part not in tensors]:
        raise ValueError(f"{len(missing)} tensors are unexpected or missing, among them {missing[0]}")
    found = [tensors.pop(part).float() for part in parts]
    rank = config.rank_pattern.get(get_pattern_key(config.rank_pattern.keys(), name), config.r)
    alpha = config.alpha_pattern.get(get_pattern_key(config.alpha_pattern.keys(), name), config.lora_alpha)
    shapes = [(rank, layer.in_features), (layer.out_features, rank), (layer.out_features,)]
    for part, tensor, shape in zip(parts, found, shapes, strict=False):
        if tensor.shape != shape:
            raise ValueError(f"size mismatch for {part}: {tuple(tensor.shape)} instead of {shape}")
    down, up, *magnitude = found
    up = up * (alpha / (math.sqrt(rank) if config.use_rslora else rank))
    gain = None
    if magnitude:  # Liu et al. 2024, equation 5: the learned length of each row instead of its own
        gain = magnitude[0] / (layer.weight().float().cpu() + up @ down).norm(dim=1)
        up = up * gain[:, None]
        gain = gain.to(layer.like)
    # a copy, since what was read is the file itself, mapped: it may be removed or written anew while the adapter speaks
    return Delta(down.to(layer.like, copy=True).contiguous(), up.T.to(layer.like).contiguous(), gain)
