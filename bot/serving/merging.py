"""The consultant: an adapter that ships with Frontdesk, merged into the weights of the raw chat model, so that an
adapter of a style starts from a model that answers and cites, and holds style alone. A merged folder knows its adapter.

torch is imported only while merging, because the command line imports this.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from bot.errors import ModelMissing

RECORD_FILE = "consultant.json"  # in a merged folder: the digests of what was merged into it


def check_adapter(adapter: Path) -> None:
    """Raise `ModelMissing` where the adapter that should ship is not there."""
    if not _digests(adapter):
        raise ModelMissing(
            f"The consultant's adapter is not in {adapter}; install Frontdesk again, or set FRONTDESK_MODEL to "
            "another model of `frontdesk models list`."
        )


def is_current(folder: Path, adapter: Path) -> bool:
    """Whether a merged folder was made with this adapter as it is now."""
    record = folder / RECORD_FILE
    return record.is_file() and json.loads(record.read_text()) == _digests(adapter)


def merge(base: Path, adapter: Path, folder: Path) -> None:
    """Write a whole model, fp32, to `folder`: the base with `scale * B @ A` of the adapter added to its weights (Hu et
    al. 2021, section 4.1). Raises `AdapterRefused` where the adapter is unsafe or does not fit."""
    import torch
    from transformers import AutoModelForCausalLM

    from bot.serving.fitting import read_adaptation
    from bot.serving.mixed import Layer

    digests = _digests(adapter)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    linear = {name: part for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    head = next(name for name, part in linear.items() if part is model.get_output_embeddings())
    weights = {name: part.weight.data for name, part in linear.items()}
    layers = {name: Layer(w.shape[1], w.shape[0], w, w.clone) for name, w in weights.items()}
    table = model.get_input_embeddings().weight.data
    for name, delta in read_adaptation(adapter, {base.name}, layers, head, table).deltas.items():
        weight = weights[name]
        if delta.gain is not None:
            weight *= delta.gain[:, None]
        weight += delta.up @ delta.down
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    model.save_pretrained(folder)
    (folder / RECORD_FILE).write_text(json.dumps(digests, indent=2))


def _digests(adapter: Path) -> dict[str, str]:
    """The SHA-256 of the adapter's weights and of its configuration, by file; empty where there is none."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(adapter.glob("adapter_*"))}
