"""The adapters that a model can wear: hung up by name, worn one at a time, discarded.

Not safe for several threads: the engine lets one in at a time. Inside peft each adapter goes by a number of its own,
because peft allows fewer names than people use, and a reused name leaves stale weights behind.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model, set_peft_model_state_dict

from bot.errors import AdapterRefused
from bot.serving.adapters import AdapterFiles
from bot.serving.refusals import AdapterLoaded, UnknownModel


@dataclass(frozen=True)
class Hung:
    """A loaded adapter: the folder it came from and its name inside peft."""

    path: Path
    key: str


class Wardrobe:
    """Holds the model, wrapped by peft as soon as there is an adapter."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._hung: dict[str, Hung] = {}
        self._numbers = itertools.count(1)

    def contents(self) -> dict[str, Path]:
        """Each adapter's name and folder."""
        return {name: hung.path for name, hung in self._hung.copy().items()}

    def hang(self, name: str, path: Path, files: AdapterFiles) -> None:
        """Add an adapter; raises `AdapterRefused` and leaves the model as it was when the adapter does not fit it."""
        if name in self._hung:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")
        key = f"adapter{next(self._numbers)}"
        try:
            self._add(key, files)
        except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            self._remove(key)
            reason = str(error).splitlines()[-1].strip()
            raise AdapterRefused(f"The adapter in {path} does not fit the base model: {reason}") from error
        self._hung[name] = Hung(path, key)

    def wear(self, name: str | None) -> None:
        """Put an adapter on, or with None every adapter off; raises `UnknownModel`."""
        if name is not None and name not in self._hung:
            raise UnknownModel(f"The model '{name}' does not exist.")
        if not isinstance(self.model, PeftModel):
            return
        tuner: Any = self.model.base_model
        if name is None:
            tuner.disable_adapter_layers()
        else:
            tuner.enable_adapter_layers()
            self.model.set_adapter(self._hung[name].key, inference_mode=True)

    def discard(self, name: str) -> None:
        """Forget an adapter; raises `UnknownModel`."""
        hung = self._hung.pop(name, None)
        if hung is None:
            raise UnknownModel(f"The lora adapter '{name}' cannot be found.")
        self._remove(hung.key)

    def _add(self, key: str, files: AdapterFiles) -> None:
        if isinstance(self.model, PeftModel):
            self.model.add_adapter(key, files.config)
        else:
            self.model = get_peft_model(self.model, files.config, adapter_name=key)
        result: Any = set_peft_model_state_dict(self.model, files.tensors, adapter_name=key)
        missing = [name for name in result.missing_keys if f".{key}." in name]
        if wrong := [*result.unexpected_keys, *missing]:
            raise ValueError(f"{len(wrong)} tensors are unexpected or missing, among them {wrong[0]}")
        self.model.eval()

    def _remove(self, key: str) -> None:
        if not isinstance(self.model, PeftModel):
            return
        if set(self.model.peft_config) == {key}:
            self.model = self.model.unload()
        elif key in self.model.peft_config:
            self.model.delete_adapter(key)
