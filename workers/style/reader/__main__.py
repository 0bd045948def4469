"""`python -m workers.style.reader --squad FILE` makes the reader that ships: reads the material, trains, examines, and
writes `bot/models/reader/`.

FILE is SQuAD's training set as its publishers give it (train-v1.1.json, CC BY-SA 4.0). What ships was learned in two
rounds, the second with `--start bot/models/reader --seed 20261130 --rate 8e-4`. LOG.md has what was tried.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bot.serving import reader, weights
from bot.serving.reader import Reader
from bot.settings import load_settings
from ingest.tables import show, tell
from workers.style import train
from workers.style.batches import held_out_loss
from workers.style.course import Course, adapter_weights
from workers.style.reader import card, learning, material
from workers.style.reader.material import Example
from workers.style.recipe import Recipe

SEED = 20261121
RECIPE = Recipe(rank=64, alpha=128, epochs=1, learning_rate=1.2e-3, rows_per_batch=16, warmup_share=0.03, seed=SEED)
MOST_SQUAD = 28_500
EXAMINED = 240  # of each source while learning


def main(
    squad: Annotated[Path, typer.Option(help="SQuAD's training set, train-v1.1.json.")],
    data: Annotated[Path | None, typer.Option(help="The folder of public sets, for squad2/{docs,qa}.jsonl.")] = None,
    out: Annotated[Path, typer.Option(help="Where the adapter goes.")] = reader.ADAPTER,
    most: Annotated[int, typer.Option(help="Texts of SQuAD at most.")] = MOST_SQUAD,
    start: Annotated[Path | None, typer.Option(help="A reader to go on from: the mean of both is written.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the texts, not what is kept.")] = SEED,
    rate: Annotated[float, typer.Option(help="The highest learning rate.")] = RECIPE.learning_rate,
    trained: Annotated[
        bool, typer.Option("--trained", help="Examine what is in the folder, and train nothing.")
    ] = False,
) -> None:
    """Make the reader."""
    folder = weights.locate(weights.EMBEDDING_MODEL, load_settings())
    learnt, kept = _material(squad, data, most, seed)
    if not trained:
        articles = {"squad2": material.kept(data, SEED)} if data else {}
        _learned(folder, replace(RECIPE, learning_rate=rate), learnt, kept, articles, start, out)
    made = json.loads((out / "meta.json").read_text(encoding="utf-8"))
    reads = Reader(folder, out)
    made["examined"] = {name: learning.examined(reads, some) for name, some in kept.items()}
    (out / "meta.json").write_text(json.dumps(made, indent=1), encoding="utf-8")
    (out / "README.md").write_text(card.written(made), encoding="utf-8")
    show(True, made, [])


def _material(
    squad: Path, data: Path | None, most: int, seed: int
) -> tuple[dict[str, list[Example]], dict[str, list[Example]]]:
    """What to learn from and what is kept, by source."""
    chance = random.Random(seed)
    whole = material.squad(squad, chance)
    learnt, kept = {"squad": chance.sample(whole, min(most, len(whole)))}, {}
    learnt["companies"], kept["companies"] = material.ours(SEED, chance)
    if data:
        learnt["squad2"], kept["squad2"] = material.squad2(data, SEED, chance)
    for name, some in learnt.items():
        tell(f"{name}: {len(some)} texts to learn from, {len(kept.get(name, ()))} to examine on")
    return learnt, kept


def _learned(
    folder: Path,
    recipe: Recipe,
    learnt: dict[str, list[Example]],
    kept: dict[str, list[Example]],
    articles: dict[str, list[str]],
    start: Path | None,
    out: Path,
) -> None:
    """Train, and write the adapter and how it was done; `articles` are those of the kept texts, by source."""
    torch.manual_seed(SEED)
    # those that no SQuAD of 2016 has, questions that look answerable and are not, are few: they are learned twice
    texts = [one for name, some in learnt.items() for one in (some * 2 if name == "squad2" else some)]
    student = learning.student(folder, recipe)
    if start:
        train.go_on_from(student, start)
    begun = adapter_weights(student)
    to_learn = learning.batches(folder, texts, recipe.rows_per_batch, SEED)
    examined = learning.batches(folder, _some(kept), recipe.rows_per_batch, SEED)
    course = Course(student, recipe, to_learn, examined, _told, learning.loss)
    course.run(held_out_loss(student, examined, learning.loss))
    if start:
        learning.meet_halfway(student, begun)
    made = {
        "base": weights.EMBEDDING_MODEL,
        "kept": articles,
        **asdict(recipe),
        "device": student.device.type,
        "rounds": [*_earlier(start), _round(course, learnt, recipe.learning_rate)],
    }
    train.write(student, made, out, torch.float16)  # what numpy has, too


def _earlier(start: Path | None) -> list[dict[str, Any]]:
    """The rounds that an adapter has behind it."""
    return list(json.loads((start / "meta.json").read_text(encoding="utf-8"))["rounds"]) if start else []


def _round(course: Course, learnt: dict[str, list[Example]], rate: float) -> dict[str, Any]:
    return {
        "texts": {name: len(some) for name, some in learnt.items()},
        "learning_rate": rate,
        "held_out_loss": [one["held_out"] for one in course.curve if "held_out" in one],
        "tokens": course.tokens,
        "seconds": round(course.seconds),
    }


def _some(kept: dict[str, list[Example]]) -> Sequence[Example]:
    chance = random.Random(SEED)
    return [one for some in kept.values() for one in chance.sample(some, min(EXAMINED, len(some)))]


def _told(progress: dict[str, Any]) -> None:
    if "loss" in progress and progress["step"] % 50 == 0:
        tell(f"step {progress['step']} of {progress['steps']}, loss {progress['loss']:.3f}")


if __name__ == "__main__":
    typer.run(main)
