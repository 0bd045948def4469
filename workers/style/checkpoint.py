"""How far a training run has come after an epoch, on disk, so that one that was cut off goes on from there.

It is one file of tensors, with its figures as JSON in the header, so that reading it can run nothing (safetensors). Its
key stands for all that the run learns from: a run with another key removes it. `bot.training` says where it lies.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bot.log import get_log

log = get_log(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """`tensors` by group and name; `figures`, among them `step`, are what JSON can hold."""

    tensors: dict[str, dict[str, torch.Tensor]]
    figures: dict[str, Any]


def write(place: Path, key: str, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint in the place of the one before, whole or not at all. A full disk is no reason to stop."""
    part = place.with_suffix(".part")
    tensors = {
        f"{group}/{name}": tensor.contiguous()
        for group, named in checkpoint.tensors.items()
        for name, tensor in named.items()
    }
    told = {"key": key, "step": str(checkpoint.figures["step"]), "figures": json.dumps(checkpoint.figures)}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, told)
        part.replace(place)
    except (OSError, SafetensorError) as error:
        log.warning("the training goes on, but a later one could not go on from here", reason=str(error))
    finally:
        part.unlink(missing_ok=True)


def read(place: Path, key: str) -> Checkpoint | None:
    """The checkpoint of a run with this key, or None; any other one is removed."""
    found = _read(place, key)
    if found is None:
        place.unlink(missing_ok=True)
    return found


def _read(place: Path, key: str) -> Checkpoint | None:
    try:
        with safe_open(place, framework="pt") as file:
            told = file.metadata() or {}
            if told.get("key") != key:
                log.info("another training is begun than the one that was cut off")
                return None
            tensors: dict[str, dict[str, torch.Tensor]] = {}
            for full in file.keys():  # noqa: SIM118 - it is no dictionary
                group, _, name = full.partition("/")
                tensors.setdefault(group, {})[name] = file.get_tensor(full)
            return Checkpoint(tensors, json.loads(told["figures"]))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError) as error:
        log.warning("the training begins anew, because where it was cut off cannot be read", reason=str(error))
        return None
