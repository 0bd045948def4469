"""The adapters that can be asked for, by name: hundreds are known, the last used are in memory, the rest on disk.

Any thread may call it. A request holds the adapter that it asked for, so taking one off the rack stops nobody, and a
name that is used again is another adapter.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bot.errors import AdapterRefused
from bot.serving.mixing import Adaptation
from bot.serving.refusals import AdapterLoaded, UnknownModel

MEMORY_BYTES = 1024**3  # some forty adapters of rank 16 for the small model

Read = Callable[[Path], Adaptation]


class Adapter:
    """One adapter; every loading makes another. `adaptation` is None while it is on disk only."""

    def __init__(self, name: str, path: Path, adaptation: Adaptation) -> None:
        self.name = name
        self.path = path
        self.adaptation: Future[Adaptation] | None = Future()
        self.adaptation.set_result(adaptation)
        self.bytes = adaptation.bytes
        self.virtual_tokens = len(adaptation.soft_prompt)

    @property
    def in_memory(self) -> bool:
        """Whether it can be used at once."""
        return self.adaptation is not None and self.adaptation.done() and self.adaptation.exception() is None


class Rack:
    """Adapters by name; `read` makes one from a folder, or raises `AdapterRefused`."""

    def __init__(self, read: Read, memory_bytes: int = MEMORY_BYTES) -> None:
        self._read = read
        self._memory_bytes = memory_bytes
        self._known: OrderedDict[str, Adapter] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()
        self._reader = ThreadPoolExecutor(1, "adapters")

    def contents(self) -> dict[str, Path]:
        """Each adapter's name and folder."""
        with self._lock:
            return {name: adapter.path for name, adapter in sorted(self._known.items())}

    def add(self, name: str, path: Path) -> None:
        """Read an adapter; raises `AdapterRefused`, or `AdapterLoaded` if the name is taken."""
        self._check_new(name)
        adapter = Adapter(name, path, self._read(path))
        with self._lock:
            self._check_new(name)
            self._make_room(adapter.bytes)
            self._known[name] = adapter

    def remove(self, name: str) -> Adapter:
        """Forget an adapter; raises `UnknownModel`."""
        with self._lock:
            if name not in self._known:
                raise UnknownModel(f"The lora adapter '{name}' cannot be found.")
            return self._known.pop(name)

    def find(self, name: str) -> tuple[Adapter, "Future[Adaptation]"]:
        """The adapter of this name and what it does, on its way if it is not in memory; raises `UnknownModel`."""
        with self._lock:
            if name not in self._known:
                raise UnknownModel(f"The model '{name}' does not exist.")
            self._known.move_to_end(name)
            adapter = self._known[name]
            found = adapter.adaptation
            if found is None or (found.done() and found.exception()):
                # room first: were it read before room is made, it could go at once, and the base would answer for it
                self._make_room(adapter.bytes)
                found = adapter.adaptation = self._reader.submit(self._read_again, adapter)
            return adapter, found

    def _read_again(self, adapter: Adapter) -> Adaptation:
        found = self._read(adapter.path)
        if len(found.soft_prompt) != adapter.virtual_tokens:  # the request's prompt is laid out for that many
            raise AdapterRefused(f"The adapter in {adapter.path} has changed since it was loaded; load it anew.")
        return found

    def _check_new(self, name: str) -> None:
        if name in self._known:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")

    def _make_room(self, more: int) -> None:
        """For so many bytes: the least recently used go. What is being read counts, but stays."""
        size = sum(adapter.bytes for adapter in self._known.values() if adapter.adaptation) + more
        for adapter in self._known.values():
            if size <= self._memory_bytes:
                return
            if adapter.in_memory:
                adapter.adaptation = None
                size -= adapter.bytes
