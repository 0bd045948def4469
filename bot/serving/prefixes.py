"""What prompts begin with alike is read once: the system prompt and its examples, for each adapter apart.

Only a beginning that two prompts have shared is kept, so what one customer alone wrote never is. The key is the loaded
adapter itself, not its name: a new version under an old name finds nothing, and unloading drops what was kept.
"""

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.serving.slots import Remembered

MEMORY_BYTES = 256 * 1024**2
LEAST_TOKENS = 32  # a shorter beginning is read again sooner than it is copied
RECENT_PROMPTS = 8  # with which a prompt is compared, for each adapter
MOST_ADAPTERS = 64

Tokens = Sequence[int]


@dataclass(frozen=True)
class _Kept:
    owner: Hashable
    tokens: tuple[int, ...]
    memory: Remembered


class Prefixes:
    """Any thread may call it."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._kept: OrderedDict[tuple[Hashable, tuple[int, ...]], _Kept] = OrderedDict()
        self._recent: OrderedDict[Hashable, deque[tuple[int, ...]]] = OrderedDict()
        self._gone: weakref.WeakSet[Any] = weakref.WeakSet()  # their last requests may still be running
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much memory the beginnings take."""
        with self._lock:
            return sum(kept.memory.bytes for kept in self._kept.values())

    def longest(self, owner: Hashable, prompt: Tokens) -> tuple[Remembered | None, int]:
        """What is kept of the prompt's beginning, and how many tokens of it; at least one token is left to read."""
        best, length = None, 0
        with self._lock:
            for key, kept in self._kept.items():
                shared = min(_shared(kept.tokens, prompt), len(prompt) - 1) if kept.owner == owner else 0
                if shared > length and shared >= LEAST_TOKENS:
                    best, length = key, shared
            if best is None:
                return None, 0
            self._kept.move_to_end(best)
            return self._kept[best].memory, length

    def worth_keeping(self, owner: Hashable, prompt: Tokens, known: int) -> int:
        """How many tokens of this prompt should be kept once they are read, beyond the `known` ones; else 0."""
        with self._lock:
            if owner in self._gone:
                return 0
            recent = self._recent.setdefault(owner, deque(maxlen=RECENT_PROMPTS))
            self._recent.move_to_end(owner)
            while len(self._recent) > MOST_ADAPTERS:
                self._recent.popitem(last=False)
            shared = max((_shared(other, prompt) for other in recent), default=0)
            if tuple(prompt) not in recent:
                recent.append(tuple(prompt))
            return shared if shared >= known + LEAST_TOKENS else 0

    def keep(self, owner: Hashable, tokens: Tokens, memory: Remembered) -> None:
        """Remember a beginning; the least recently used ones go when memory is short."""
        with self._lock:
            if owner not in self._recent:  # dropped meanwhile
                return
            self._kept[owner, tuple(tokens)] = _Kept(owner, tuple(tokens), memory)
            size = sum(kept.memory.bytes for kept in self._kept.values())
            while size > self._memory_bytes:
                size -= self._kept.popitem(last=False)[1].memory.bytes

    def drop(self, owner: Hashable) -> None:
        """Forget everything of an adapter that was unloaded."""
        with self._lock:
            self._gone.add(owner)
            self._recent.pop(owner, None)
            for key in [key for key in self._kept if key[0] == owner]:
                del self._kept[key]


def _shared(one: Tokens, other: Tokens) -> int:
    most = min(len(one), len(other))
    return next((at for at in range(most) if one[at] != other[at]), most)
