"""Is this folder an adapter that may be loaded? Files, configuration and numbers are checked before the model is.

Only plain LoRA and soft prompts pass: whatever would change the base (biases, replaced layers, initialisations that
rewrite its weights) or import code is refused. Whether names and shapes fit the base is for the engine to find out.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PromptEncoderConfig, PromptLearningConfig, PromptTuningConfig
from safetensors import SafetensorError
from safetensors.torch import load_file

from bot.errors import AdapterRefused

SUFFIXES = {".safetensors", ".json", ".md"}
WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
MAX_RANK = 256
MAX_VIRTUAL_TOKENS = 256
MAX_CONFIG_BYTES = 1_000_000

PLAIN = {"r", "lora_alpha", "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern"}
PLAIN |= {"layers_to_transform", "layers_pattern", "fan_in_fan_out", "use_rslora", "use_dora"}
# without effect on a finished adapter
BOOKKEEPING = {"base_model_name_or_path", "peft_type", "peft_version", "task_type", "revision", "inference_mode"}
BOOKKEEPING |= {"auto_mapping"}
LORA = PLAIN | BOOKKEEPING | {"lora_dropout", "megatron_core", "qalora_group_size", "loftq_config", "eva_config"}
LORA |= {"ensure_weight_tying", "runtime_config", "init_lora_weights", "bias"}
SOFT = BOOKKEEPING | {"num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads"}
SOFT |= {"num_transformer_submodules", "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path"}
SOFT |= {"encoder_reparameterization_type", "encoder_hidden_size", "encoder_num_layers", "encoder_dropout"}
SOFT_PROMPTS: dict[str, type[PromptLearningConfig]] = {
    "PROMPT_TUNING": PromptTuningConfig,
    "P_TUNING": PromptEncoderConfig,
}
# the other ways to initialise subtract from the base
HARMLESS_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter as it was read: peft's configuration and its tensors by name."""

    config: LoraConfig | PromptLearningConfig
    tensors: dict[str, torch.Tensor]


def read_adapter(folder: Path, bases: set[str]) -> AdapterFiles:
    """Read and check a folder; `bases` are the names by which the base model goes. Raises `AdapterRefused`."""
    _check_files(folder)
    config = _read_config(folder)
    _check_base(folder, config, bases)
    soft = SOFT_PROMPTS.get(str(config.get("peft_type")))
    made = _soft_prompt(folder, config, soft) if soft else _lora(folder, config)
    return AdapterFiles(made, _read_tensors(folder))


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


def _lora(folder: Path, config: dict[str, Any]) -> LoraConfig:
    if config.get("peft_type") != "LORA":
        raise _refused(
            folder, f"is of the type {config.get('peft_type')}; only LORA, {' and '.join(SOFT_PROMPTS)} can be served"
        )
    if config.get("bias", "none") != "none":
        raise _refused(folder, "changes the biases of its base")
    if config.get("init_lora_weights", True) not in HARMLESS_STARTS:
        raise _refused(folder, f"starts from '{config['init_lora_weights']}', which changes the weights of its base")
    _check_known(folder, config, LORA)
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    if not all(isinstance(rank, int) and 1 <= rank <= MAX_RANK for rank in ranks):
        raise _refused(folder, f"has a rank outside of 1 to {MAX_RANK}")
    plain = {key: config[key] for key in PLAIN if config.get(key) is not None}
    return LoraConfig(**plain, task_type="CAUSAL_LM", inference_mode=True)


def _soft_prompt(folder: Path, config: dict[str, Any], kind: type[PromptLearningConfig]) -> PromptLearningConfig:
    if config.get("task_type") != "CAUSAL_LM":
        raise _refused(folder, f"is for the task {config.get('task_type')}; a soft prompt is served for CAUSAL_LM only")
    _check_known(folder, config, SOFT)
    count = config.get("num_virtual_tokens")
    if not isinstance(count, int) or not 1 <= count <= MAX_VIRTUAL_TOKENS:
        raise _refused(folder, f"has a number of virtual tokens outside of 1 to {MAX_VIRTUAL_TOKENS}")
    return kind(num_virtual_tokens=count, task_type="CAUSAL_LM", inference_mode=True)


def _check_known(folder: Path, config: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(key for key in config.keys() - known if config[key]):
        raise _refused(folder, f"uses {', '.join(unknown)}, which this server does not support")


def _read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    try:
        tensors = load_file(folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise _refused(folder, f"has an unreadable {WEIGHTS_FILE} ({error})") from error
    for name, tensor in tensors.items():
        if not math.isfinite(tensor.float().abs().sum().item()):
            raise _refused(folder, f"contains NaN or infinity in {name}")
    return tensors
