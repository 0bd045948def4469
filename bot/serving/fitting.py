"""From an adapter's folder to what it does to the base: names and shapes must fit, or it is refused."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PromptLearningConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from bot.errors import AdapterRefused
from bot.serving.adapters import read_adapter
from bot.serving.eightbit import rounded_pair
from bot.serving.mixed import Layer
from bot.serving.mixing import Adaptation, Delta

PREFIX = "base_model.model."
DOWN, UP, MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"
SOFT_PROMPT = "prompt_embeddings"

Layers = Mapping[str, Layer]


def read_adaptation(folder: Path, bases: set[str], layers: Layers, head: str, table: torch.Tensor) -> Adaptation:
    """What the adapter does, where and as the base's weights are. `bases` are the base model's names, `head` is that of
    its output layer, which "all-linear" leaves out, `table` its embeddings (vocabulary, hidden). Raises
    `AdapterRefused`."""
    files = read_adapter(folder, bases)
    try:
        if isinstance(files.config, PromptLearningConfig):
            return Adaptation({}, _soft_prompt(files.tensors, files.config.num_virtual_tokens, table))
        return Adaptation(_fit(files.config, files.tensors, layers, head), table.new_empty(0, table.shape[1]))
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise AdapterRefused(f"The adapter in {folder} does not fit the base model: {error}") from error


def _fit(config: LoraConfig, named: Mapping[str, torch.Tensor], layers: Layers, head: str) -> dict[str, Delta]:
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in named.items()}
    targets = [name for name in layers if _is_target(config, name, head)]
    if not targets:
        raise ValueError(f"no layer is named {config.target_modules}")
    deltas = {name: _delta(config, tensors, name, layers[name]) for name in targets}
    if tensors:
        raise _unlisted(tensors)
    return deltas


def _soft_prompt(tensors: Mapping[str, torch.Tensor], count: int, table: torch.Tensor) -> torch.Tensor:
    if wrong := tensors.keys() ^ {SOFT_PROMPT}:
        raise _unlisted(wrong)
    rows, shape = tensors[SOFT_PROMPT], (count, table.shape[1])
    _check_shape(SOFT_PROMPT, rows, shape)
    return rows.to(table, copy=True)


def _unlisted(names: Collection[str]) -> ValueError:
    return ValueError(f"{len(names)} tensors are unexpected or missing, among them {min(names)}")


def _check_shape(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise ValueError(f"size mismatch for {name}: {tuple(tensor.shape)} instead of {shape}")


def _is_target(config: Any, name: str, head: str) -> bool:
    if config.target_modules == "all-linear":
        return name != head
    return bool(check_target_module_exists(config, name))


def _delta(config: Any, tensors: dict[str, torch.Tensor], name: str, layer: Layer) -> Delta:
    parts = [name + DOWN, name + UP, *([name + MAGNITUDE] if config.use_dora else [])]
    if missing := [part for part in parts if part not in tensors]:
        raise _unlisted(missing)
    found = [tensors.pop(part).float() for part in parts]
    rank = config.rank_pattern.get(get_pattern_key(config.rank_pattern.keys(), name), config.r)
    alpha = config.alpha_pattern.get(get_pattern_key(config.alpha_pattern.keys(), name), config.lora_alpha)
    shapes = [(rank, layer.in_features), (layer.out_features, rank), (layer.out_features,)]
    for part, tensor, shape in zip(parts, found, shapes, strict=False):
        _check_shape(part, tensor, shape)
    down, up, *magnitude = found
    up = up * (alpha / (math.sqrt(rank) if config.use_rslora else rank))
    gain = None
    if magnitude:  # Liu et al. 2024, equation 5: the learned length of each row instead of its own
        gain = magnitude[0] / (layer.weight().float().cpu() + up @ down).norm(dim=1)
        up = up * gain[:, None]
    if layer.like.dtype == torch.int8:
        rounded, short = rounded_pair(down, up)
        return Delta(rounded.short, short, gain, rounded.scale)
    # a copy, since what was read is the file itself, mapped: it may be removed or written anew while the adapter speaks
    gain = None if gain is None else gain.to(layer.like)
    return Delta(down.to(layer.like, copy=True).contiguous(), up.to(layer.like, copy=True).contiguous(), gain)
