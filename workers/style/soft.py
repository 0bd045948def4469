"""The soft prompt of a student: peft puts it before whatever is read, even what goes on from something read before, and
gives padding a place of its own. So here the model reads without it, and it is laid before the tokens by hand.
"""

from typing import Any

import torch
from peft import PeftModel


def split(model: Any) -> tuple[Any, torch.Tensor]:
    """What reads, LoRA in it where there is some, and the soft prompt: (virtual tokens, hidden), empty where there is
    none or it is switched off."""
    if not isinstance(model, PeftModel):
        return model, _none(model)
    reader: Any = model.get_base_model()
    if not (model.active_peft_config.is_prompt_learning and model.has_active_enabled_adapter):
        return reader, _none(reader)
    return reader, model.get_prompt(batch_size=1)[0].to(reader.dtype)


def before(reader: Any, virtual: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The soft prompt before the embeddings of tokens (length,): (virtual tokens + length, hidden)."""
    return torch.cat([virtual, reader.get_input_embeddings()(tokens)])


def _none(reader: Any) -> torch.Tensor:
    table: torch.Tensor = reader.get_input_embeddings().weight
    return table.new_empty(0, table.shape[1])
