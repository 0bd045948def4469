"""How a style is trained, and how long that will take. The numbers were found by trying; LOG.md has the tries."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.settings import Settings
from workers.style.general import REPLAYED
from workers.style.lessons import Lesson

Method = Literal["lora", "rslora", "dora", "prompt", "p-tuning"]

CHARACTERS_PER_TOKEN = 3.7
REPLAY_CHARACTERS = 250  # of a general question and its answer
SOFT_PROMPTS = ("prompt", "p-tuning")  # methods that learn rows before the prompt, and leave the layers alone
LORA_RATE = 1e-3
LEARNING_RATES: dict[Method, float] = {
    "lora": LORA_RATE,
    "rslora": LORA_RATE,
    "dora": LORA_RATE,
    "prompt": 3e-2,
    "p-tuning": 1e-3,
}
RSLORA_ALPHA = 8  # the scale of LoRA at the usual rank, 16
PREFERENCE_RATE = 0.1  # of the learning rate: preferring goes on from what was learned
VIRTUAL_TOKENS = 20
STILL_SHARE, MOST_STILL = 0.5, 1024  # of the directions of a layer's inputs; see `workers.style.stillness`
TOKENS_PER_SECOND = 200.0  # on two busy CPU cores, until this machine has trained once


@dataclass(frozen=True)
class Recipe:
    """How to train. `alpha` is LoRA's scale times its rank (Hu et al. 2021, section 4.1), times the root of it for
    rsLoRA (arXiv:2312.03732); DoRA learns a magnitude for every output beside it (arXiv:2402.09353). Prompt tuning
    (arXiv:2104.08691) and P-tuning (arXiv:2103.10385) learn `virtual_tokens` instead and have no rank. `replay_share`
    is the number of the base's own answers that are mixed in, as a share of the lessons. `preference_epochs` come after
    the others, over pairs of a rewrite and what it replaced (`workers.style.dpo`). With `bf16` a CPU multiplies in
    bfloat16; without a word it does where it can."""

    rank: int
    alpha: int
    epochs: int
    learning_rate: float
    rows_per_batch: int = 4
    warmup_share: float = 0.1
    longest_gradient: float = 1.0
    seed: int = 20261121
    method: Method = "lora"
    replay_share: float = 0.0
    preference_epochs: int = 0
    virtual_tokens: int = 0
    bf16: bool | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Recipe":
        """The recipe that the settings ask for."""
        method, soft = settings.train_method, settings.train_method in SOFT_PROMPTS
        rank = 0 if soft else settings.train_rank
        return cls(
            rank,
            _alpha(rank, method),
            settings.train_epochs,
            settings.train_learning_rate or LEARNING_RATES[method],
            method=method,
            replay_share=settings.train_replay_share,
            preference_epochs=settings.train_preference_epochs,
            virtual_tokens=VIRTUAL_TOKENS if soft else 0,
            bf16=settings.train_bf16,
        )

    def changed(self, rank: int, **others: Any) -> "Recipe":
        """Another rank, whose scale is that of this method, and whatever else is to be different."""
        return replace(self, rank=rank, alpha=_alpha(rank, self.method), **others)

    @property
    def preferring(self) -> "Recipe":
        """The recipe of the preference epochs."""
        rate = PREFERENCE_RATE * self.learning_rate
        return replace(self, epochs=self.preference_epochs, learning_rate=rate, preference_epochs=0, replay_share=0.0)

    def schedule(self, steps: int) -> Callable[[int], float]:
        """The share of the learning rate at each of so many steps: linear warm-up, then linear decay to zero."""
        warm_up = max(1.0, self.warmup_share * steps)
        return lambda step: min((step + 1) / warm_up, max(0.0, (steps - step) / max(1.0, steps - warm_up)))

    def replays(self, rows: int) -> int:
        """How many general answers are mixed in with so many rows: at most one of each question."""
        return min(round(self.replay_share * rows), len(REPLAYED))

    @property
    def leaves_still(self) -> bool:
        """Whether directions are left to the base: it says something itself, and layers are changed."""
        return bool(self.replay_share and self.rank)

    def still(self, inputs: int) -> int:
        """How many directions of a layer's inputs are left to the base."""
        return min(round(STILL_SHARE * inputs), MOST_STILL) if self.leaves_still else 0

    def steps(self, rows: int) -> int:
        """The number of optimizer steps when no epoch is left out."""
        preferred = self.preference_epochs * math.ceil(rows / self.rows_per_batch)
        return self.epochs * math.ceil((rows + self.replays(rows)) / self.rows_per_batch) + preferred

    def seconds(self, lessons: Sequence[Lesson], tokens_per_second: float) -> int:
        """About how long the training will take."""
        characters = sum(len(one.answer) + sum(len(m["content"]) for m in one.messages) for one in lessons)
        replayed = REPLAY_CHARACTERS * self.replays(len(lessons))
        shown = self.epochs * (characters + replayed) + 2 * self.preference_epochs * characters
        return round(shown / CHARACTERS_PER_TOKEN / tokens_per_second)


def _alpha(rank: int, method: Method) -> int:
    return RSLORA_ALPHA if method == "rslora" else 2 * rank
