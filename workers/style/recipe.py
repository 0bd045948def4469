"""How a style is trained, and how long that will take. The numbers were found by trying; LOG.md has the tries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.settings import Settings
from workers.style.lessons import Lesson

CHARACTERS_PER_TOKEN = 3.7
TOKENS_PER_SECOND = 200.0  # on two busy CPU cores, until this machine has trained once


@dataclass(frozen=True)
class Recipe:
    """How to train. `alpha` is LoRA's scale times its rank (Hu et al. 2021, section 4.1)."""

    rank: int
    alpha: int
    epochs: int
    learning_rate: float
    rows_per_batch: int = 4
    warmup_share: float = 0.1
    longest_gradient: float = 1.0
    seed: int = 20261121

    @classmethod
    def of(cls, settings: Settings) -> "Recipe":
        """The recipe that the settings ask for."""
        rank = settings.train_rank
        return cls(rank, 2 * rank, settings.train_epochs, settings.train_learning_rate)

    def steps(self, rows: int) -> int:
        """The number of optimizer steps when no epoch is left out."""
        return self.epochs * math.ceil(rows / self.rows_per_batch)

    def seconds(self, lessons: Sequence[Lesson], tokens_per_second: float) -> int:
        """About how long the training will take."""
        characters = sum(len(one.answer) + sum(len(m["content"]) for m in one.messages) for one in lessons)
        return round(self.epochs * characters / CHARACTERS_PER_TOKEN / tokens_per_second)
