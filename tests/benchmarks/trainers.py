"""How fast a style is learned, beside trl's SFTTrainer: the same rows, the same recipe, in turns.

`python -m tests.benchmarks.trainers [--rounds 3] [--epochs 2]`: tokens a second of the optimizer steps alone, padding
not counted, and the loss on the same held-out rows afterwards. Both see the same token ids in the same batches in the
same order, at the same rates, and take the loss on the same answers, so that the losses can be held beside each other.
"""

import argparse
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar
from trl import SFTConfig, SFTTrainer

from bot import feedback
from bot.desk import open_desk
from bot.serving.precision import has_bfloat16
from bot.settings import Settings, load_settings
from ingest import sample
from tests.benchmarks.meters import shared_host
from workers.style.batches import Batch, Example, batches, example, held_out_loss
from workers.style.course import Course
from workers.style.curate import curate
from workers.style.lessons import lesson
from workers.style.recipe import Recipe
from workers.style.splitting import split
from workers.style.train import load_base, with_adapter

IGNORED = -100


@dataclass(frozen=True)
class Figures:
    """Of one training."""

    tokens_per_second: float
    held_out: float


@shared_host()
def main() -> None:
    """Train with each in turn and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    chosen = parser.parse_args()
    disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)
    place = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        settings = place.model_copy(update={"data_dir": Path(folder), "models_dir": place.models})
        settings = settings.model_copy(update={"train_epochs": chosen.epochs, "train_replay_share": 0.0})
        recipe = replace(Recipe.of(settings), bf16=has_bfloat16())
        learn, held_out = rows(settings)
        found: dict[str, list[Figures]] = {"frontdesk": [], "trl": []}
        for _ in range(chosen.rounds):
            found["frontdesk"].append(ours(settings, recipe, learn, held_out))
            found["trl"].append(theirs(settings, recipe, learn, held_out, Path(folder)))
    report(found, len(learn), chosen.epochs)


def rows(settings: Settings) -> tuple[list[Example], list[Example]]:
    """The sample's rewrites as token ids: to learn from, and held out."""
    desk = open_desk(settings)
    sample.add_rewrites(desk)
    parts = split(curate(feedback.trainable(desk.database)).kept)
    _, tokenizer, _ = load_base(settings)
    learn, *held_out = ([example(tokenizer, lesson(desk, row)) for row in part] for part in parts)
    return learn, [one for part in held_out for one in part]


def ours(settings: Settings, recipe: Recipe, learn: Sequence[Example], held_out: Sequence[Example]) -> Figures:
    """By the trainer of this project."""
    base, _, device = load_base(settings)
    student = with_adapter(base, recipe, settings.model)
    examined = batches(held_out, recipe.rows_per_batch, device)
    course = Course(student, recipe, batches(learn, recipe.rows_per_batch, device), examined, lambda _: None)
    course.run(held_out_loss(student, examined))
    return Figures(course.tokens / course.seconds, held_out_loss(student, examined))


def theirs(
    settings: Settings, recipe: Recipe, learn: Sequence[Example], held_out: Sequence[Example], folder: Path
) -> Figures:
    """By trl's, with everything else equal: the adapter, the optimizer, the schedule, the precision."""
    base, tokenizer, device = load_base(settings)
    student = with_adapter(base, recipe, settings.model)
    config = SFTConfig(
        output_dir=str(folder / "trl"),
        num_train_epochs=1,  # which holds them all, in our order
        train_sampling_strategy="sequential",
        per_device_train_batch_size=recipe.rows_per_batch,
        max_grad_norm=recipe.longest_gradient,
        max_length=None,
        bf16=bool(recipe.bf16),
        use_cpu=device == "cpu",
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        seed=recipe.seed,
    )
    clock = _Clock()
    shown = _dataset(_in_our_order(learn, recipe))
    learned = [one for one in student.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    rates = LambdaLR(optimizer, recipe.schedule(len(shown) // recipe.rows_per_batch))
    trainer = SFTTrainer(
        student,
        config,
        train_dataset=shown,
        processing_class=tokenizer,
        callbacks=[clock],
        optimizers=(optimizer, rates),
    )
    trainer.train()
    tokens = recipe.epochs * sum(len(one.tokens) for one in learn)
    examined: list[Batch] = batches(held_out, recipe.rows_per_batch, device)
    return Figures(tokens / clock.seconds, held_out_loss(student, examined))


def _in_our_order(learn: Sequence[Example], recipe: Recipe) -> list[Example]:
    """All rows of all epochs, as `Course` goes through them."""
    ranked, size = sorted(learn, key=lambda one: len(one.tokens)), recipe.rows_per_batch
    groups = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    order = random.Random(recipe.seed)
    return [one for _ in range(recipe.epochs) for group in order.sample(groups, len(groups)) for one in group]


def _dataset(examples: Sequence[Example]) -> Dataset:
    labels = [[IGNORED] * (len(one.tokens) - one.answer) + list(one.tokens[-one.answer :]) for one in examples]
    return Dataset.from_dict({"input_ids": [list(one.tokens) for one in examples], "labels": labels})


class _Clock(TrainerCallback):
    """How long the steps took, without what lies between them."""

    def __init__(self) -> None:
        self.seconds, self._begun = 0.0, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._begun = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds += time.perf_counter() - self._begun


def report(found: dict[str, list[Figures]], learned: int, epochs: int) -> None:
    """Medians with the least and the greatest, and the ratio round by round."""
    print(f"{learned} rows, {epochs} epochs, {torch.get_num_threads()} threads")
    for name, figures in found.items():
        speeds = [one.tokens_per_second for one in figures]
        losses = [one.held_out for one in figures]
        print(
            f"{name}: {statistics.median(speeds):.0f} tokens/s ({min(speeds):.0f} to {max(speeds):.0f}), held-out loss "
            f"{statistics.median(losses):.4f}"
        )
    pairs = list(zip(found["frontdesk"], found["trl"], strict=True))
    ratios = [one.tokens_per_second / other.tokens_per_second for one, other in pairs]
    losses = [one.held_out / other.held_out for one, other in pairs]
    print(
        f"times as fast, round by round: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"held-out loss {statistics.median(losses):.3f} of trl's"
    )


if __name__ == "__main__":
    main()
