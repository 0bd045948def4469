"""Is this folder an adapter that may be loaded? Files, configuration and numbers are checked before the model is.

Only plain LoRA passes: whatever would change the base (biases, replaced layers, initialisations that rewrite its
weights) or import code is refused. Whether names and shapes fit the base is for the engine to find out.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file

from bot.errors import AdapterRefused

SUFFIXES = {".safetensors", ".json", ".md"}
WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
MAX_RANK = 256
MAX_CONFIG_BYTES = 1_000_000

PLAIN = {"r", "lora_alpha", "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern"}
PLAIN |= {"layers_to_transform", "layers_pattern", "fan_in_fan_out", "use_rslora", "use_dora"}
# without effect on a finished adapter
BOOKKEEPING = {"base_model_name_or_path", "peft_type", "peft_version", "task_type", "revision", "inference_mode"}
BOOKKEEPING |= {"auto_mapping", "lora_dropout", "megatron_core", "qalora_group_size", "loftq_config", "eva_config"}
BOOKKEEPING |= {"ensure_weight_tying", "runtime_config", "init_lora_weights", "bias"}
# the other ways to initialise subtract from the base
HARMLESS_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter as it was read: peft's configuration and its tensors by name."""

    config: LoraConfig
    tensors: dict[str, torch.Tensor]


def read_adapter(folder: Path, bases: set[str]) -> AdapterFiles:
    """Read and check a folder; `bases` are the names by which the base model goes. Raises `AdapterRefused`."""
    _check_files(folder)
    config = _read_config(folder)
    _check_base(folder, config, bases)
    _check_method(folder, config)
    tensors = _read_tensors(folder)
    plain = {key: config[key] for key in PLAIN if config.get(key) is not None}
    return AdapterFiles(LoraConfig(**plain, task_type="CAUSAL_LM", inference_mode=True), tensors)


def _refused(folder: Path, reason: str) -> AdapterRefused:
    return AdapterRefused(f"The adapter in {folder} {reason}.")


def _check_files(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise _refused(folder, "is not a folder")
    for file in folder.rglob("*"):
        if file.is_symlink():
            raise _refused(folder, f"contains a symbolic link ({file.name})")
        if not file.is_dir() and (file.suffix not in SUFFIXES or not file.is_file()):
            raise _refused(folder, f"contains {file.name}; only safetensors, json and md files are allowed")
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise _refused(folder, f"has no {name}")


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError("too large")
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refused(folder, f"has an unreadable {CONFIG_FILE} ({error})") from error
    if not isinstance(config, dict):
        raise _refused(folder, f"has an unreadable {CONFIG_FILE} (not an object)")
    return config


def _check_base(folder: Path, config: dict[str, Any], bases: set[str]) -> None:
    base = str(config.get("base_model_name_or_path") or "")
    # a folder may have moved since the training, so its last part decides
    if base not in bases and Path(base).name not in bases:
        raise _refused(folder, f"was trained for the base '{base}', but this server runs {' / '.join(sorted(bases))}")


def _check_method(folder: Path, config: dict[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise _refused(folder, f"is of the type {config.get('peft_type')}; only LORA can be served")
    if config.get("bias", "none") != "none":
        raise _refused(folder, "changes the biases of its base")
    if config.get("init_lora_weights", True) not in HARMLESS_STARTS:
        raise _refused(folder, f"starts from '{config['init_lora_weights']}', which changes the weights of its base")
    if unknown := sorted(key for key in config.keys() - PLAIN - BOOKKEEPING if config[key]):
        raise _refused(folder, f"uses {', '.join(unknown)}, which this server does not support")
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    if not all(isinstance(rank, int) and 1 <= rank <= MAX_RANK for rank in ranks):
        raise _refused(folder, f"has a rank outside of 1 to {MAX_RANK}")


def _read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    try:
        tensors = load_file(folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise _refused(folder, f"has an unreadable {WEIGHTS_FILE} ({error})") from error
    for name, tensor in tensors.items():
        if not math.isfinite(tensor.float().abs().sum().item()):
            raise _refused(folder, f"contains NaN or infinity in {name}")
    return tensors
