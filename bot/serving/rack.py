"""The adapters that can be asked for, by name: hundreds are known, the last used are in memory, the rest on disk.

Any thread may call it. A request holds the adapter that it asked for, so taking one off the rack stops nobody, and a
name that is used again is another adapter.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bot.serving.mixing import Deltas
from bot.serving.refusals import AdapterLoaded, UnknownModel

MEMORY_BYTES = 1024**3  # some fifty adapters of rank 16 for the small model

Read = Callable[[Path], Deltas]


class Adapter:
    """One adapter; every loading makes another. `deltas` is None while it is on disk only."""

    def __init__(self, name: str, path: Path, deltas: Deltas) -> None:
        self.name = name
        self.path = path
        self.deltas: Future[Deltas] | None = Future()
        self.deltas.set_result(deltas)
        tensors = [tensor for delta in deltas.values() for tensor in delta if tensor is not None]
        self.bytes = sum(tensor.nbytes for tensor in tensors)

    @property
    def in_memory(self) -> bool:
        """Whether it can be used at once."""
        return self.deltas is not None and self.deltas.done() and self.deltas.exception() is None


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

    def find(self, name: str) -> tuple[Adapter, "Future[Deltas]"]:
        """The adapter of this name and what it does, on its way if it is not in memory; raises `UnknownModel`."""
        with self._lock:
            if name not in self._known:
                raise UnknownModel(f"The model '{name}' does not exist.")
            self._known.move_to_end(name)
            adapter = self._known[name]
            deltas = adapter.deltas
            if deltas is None or (deltas.done() and deltas.exception()):
                # room first: were it read before room is made, it could go at once, and the base would answer for it
                self._make_room(adapter.bytes)
                deltas = adapter.deltas = self._reader.submit(self._read, adapter.path)
            return adapter, deltas

    def _check_new(self, name: str) -> None:
        if name in self._known:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")

    def _make_room(self, more: int) -> None:
        """For so many bytes: the least recently used go. What is being read counts, but stays."""
        size = sum(adapter.bytes for adapter in self._known.values() if adapter.deltas) + more
        for adapter in self._known.values():
            if size <= self._memory_bytes:
                return
            if adapter.in_memory:
                adapter.deltas = None
                size -= adapter.bytes
