"""`python -m workers.style.consultant` makes the adapter that ships: builds what it learns from, trains, examines, and
writes `bot/models/consultant/`.

It needs the search and the embeddings of a running Frontdesk (`frontdesk up`), since it learns from the prompts that
the consult chain builds. Without public sets (`--data`) it learns from its own fictional companies alone. LOG.md has
the recipes that were tried.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from peft import PeftModel

from bot.desk import Desk, open_desk
from bot.records import Turn
from bot.serving import weights
from bot.settings import load_settings
from ingest import sample
from ingest.readers.reading import Block, BlockKind, Reading
from ingest.tables import show, tell
from workers.style import train
from workers.style.batches import batches, example, held_out_loss
from workers.style.consultant import card, companies, examining, exercises, public
from workers.style.consultant.companies import Company, Page
from workers.style.consultant.exercises import Exercise, Material
from workers.style.course import Course
from workers.style.lessons import Lesson
from workers.style.recipe import Recipe

EXAMINED = 60  # held-out questions of each source
MOST = {"companies": 1500}  # the rest is for recipes with more of them
SHOWN = 5  # answers of each source that are kept to be read
TASKS, TEXTS = 100, 40
SEED = 20261121
RECIPE = Recipe(rank=16, alpha=32, epochs=1, learning_rate=6e-4, rows_per_batch=8, warmup_share=0.05, seed=SEED)

Lessons = dict[str, list[Lesson]]


def main(
    data: Annotated[Path | None, typer.Option(help="The folder of public sets, each {docs,qa}.jsonl.")] = None,
    out: Annotated[Path, typer.Option(help="Where the adapter goes.")] = weights.CONSULTANT,
    work: Annotated[Path, typer.Option(help="Where the lessons are kept between tries.")] = Path("data/consultant"),
    recipe: Annotated[str, typer.Option(help="Changes to the recipe, as JSON.")] = "{}",
    most: Annotated[str, typer.Option(help="Lessons of each source at most, as JSON.")] = json.dumps(MOST),
    examined: Annotated[int, typer.Option(help="Held-out questions of each source.")] = EXAMINED,
    start: Annotated[Path | None, typer.Option(help="An adapter to go on from.")] = None,
    within: Annotated[bool, typer.Option("--within", help="Set the words that answer off where they stand.")] = False,
    trained: Annotated[
        bool, typer.Option("--trained", help="Examine what is in the folder, and train nothing.")
    ] = False,
) -> None:
    """Make the consultant adapter."""
    chosen = Recipe(**({**asdict(RECIPE), **json.loads(recipe)}))
    learnt, held_out = _lessons(data, work, chosen.seed)
    chance, at_most = random.Random(chosen.seed), json.loads(most)
    learnt = {name: chance.sample(rows, min(len(rows), at_most.get(name, len(rows)))) for name, rows in learnt.items()}
    held_out = {name: chance.sample(rows, min(len(rows), examined)) for name, rows in held_out.items()}
    if not within:
        learnt, held_out = _pointed_out(learnt), _pointed_out(held_out)
    settings = load_settings(model=weights.BASE_MODEL)
    base, tokenizer, _ = train.load_base(settings)
    if not trained:
        student = train.with_adapter(base, chosen, weights.BASE_MODEL)
        if start:
            train.go_on_from(student, start)
        stage = {"words_that_answer": "within" if within else "behind"}
        stage |= _learned(student, tokenizer, chosen, learnt, held_out)
        out.mkdir(parents=True, exist_ok=True)
        train.write(student, {"base": weights.BASE_MODEL, "stages": [*_earlier(start), stage]}, out, torch.bfloat16)
        base, *_ = train.load_base(settings)
    student = PeftModel.from_pretrained(base, out)
    after = _examined(student, tokenizer, held_out, data)
    with student.disable_adapter():
        before = _examined(student, tokenizer, held_out, data)
    made = {**json.loads((out / "meta.json").read_text(encoding="utf-8")), "before": before, "after": after}
    (out / "meta.json").write_text(json.dumps(made, indent=1), encoding="utf-8")
    (out / "README.md").write_text(card.written(made), encoding="utf-8")
    show(True, made, [])


def _earlier(start: Path | None) -> list[dict[str, Any]]:
    """How the adapter that is gone on from was made."""
    return list(json.loads((start / "meta.json").read_text(encoding="utf-8"))["stages"]) if start else []


def _pointed_out(lessons: Lessons) -> Lessons:
    return {
        name: [replace(one, answer=exercises.pointed_out(one.answer)) for one in rows] for name, rows in lessons.items()
    }


def _learned(student: Any, tokenizer: Any, recipe: Recipe, learnt: Lessons, held_out: Lessons) -> dict[str, Any]:
    """Train; returns how it was done."""
    device = student.device
    to_learn, examined = (
        batches([example(tokenizer, one) for rows in several.values() for one in rows], recipe.rows_per_batch, device)
        for several in (learnt, held_out)
    )
    course = Course(student, recipe, to_learn, examined, _told)
    course.run(held_out_loss(student, examined))
    return {
        **asdict(recipe),
        "lessons": {source: len(rows) for source, rows in learnt.items()},
        "held_out_companies": companies.HELD_OUT,
        "bf16": course.bf16,
        "device": device.type,
        "held_out_loss": [one["held_out"] for one in course.curve if "held_out" in one],
        "tokens": course.tokens,
        "seconds": round(course.seconds),
    }


def _lessons(data: Path | None, work: Path, seed: int) -> tuple[Lessons, Lessons]:
    """What to learn from, and what to examine on, by source; each built once."""
    desk = open_desk()
    learnt: Lessons = {}
    held_out: Lessons = {}
    work.mkdir(parents=True, exist_ok=True)
    for source, material, kept in _sources(data, seed):
        learnt[source] = _built(desk, material, work / f"{source}.json")
        held_out[source] = _built(desk, kept, work / f"{source}-held-out.json")
        tell(f"{source}: {len(learnt[source])} lessons, {len(held_out[source])} to examine on")
    return learnt, held_out


def _built(desk: Desk, material: Material, place: Path) -> list[Lesson]:
    if not place.exists():
        asked = [question.text for question in sample.questions()]
        made = exercises.lessons(desk, exercises.apart(material, asked), tell)
        place.write_text(json.dumps([asdict(one) for one in made]), encoding="utf-8")
    return [Lesson(tuple(one["messages"]), one["answer"]) for one in json.loads(place.read_text(encoding="utf-8"))]


def _sources(data: Path | None, seed: int) -> Iterator[tuple[str, Material, Material]]:
    """Every source's name, what to learn from it, and what is held out."""
    to_learn, held_out = companies.parted(seed)
    yield "companies", material(to_learn), material(held_out)
    if data:
        yield from public.material(data, seed)


def material(ours: Sequence[Company]) -> Material:
    """Fictional companies' documents, each company's in a folder of its own, and what is asked of them."""
    readings: list[tuple[str, Reading]] = []
    asked: list[Exercise] = []
    for number, company in enumerate(ours):
        folder = f"company-{number}"
        for document, pages in groupby(sorted(company.pages, key=_place), key=_place):
            several = list(pages)
            blocks = [block for page in several for block in _blocks(page)]
            readings.append((f"{folder}/{document}", Reading(several[0].title, tuple(blocks))))
        for one in company.asks:
            turns = tuple(Turn(("user", "assistant")[n % 2], text) for n, text in enumerate(one.history))
            place = f"{folder}/{company.pages[one.page].document}"
            asked.append(Exercise(one.question, one.answer, place, folder, turns))
    return Material(readings, asked)


def _place(page: Page) -> str:
    return page.document


def _blocks(page: Page) -> list[Block]:
    kind: BlockKind = "row" if "\n" in page.text else "text"
    return [Block("heading", page.heading, 2), *(Block(kind, line) for line in page.text.splitlines())]


def _examined(model: Any, tokenizer: Any, held_out: dict[str, list[Lesson]], data: Path | None) -> dict[str, Any]:
    """The figures of a model on what was held out and, where the public sets are, on what it should not lose."""
    found: dict[str, Any] = {}
    for source, lessons in held_out.items():
        tell(f"examining on {source}")
        figures, said = examining.examine(model, tokenizer, lessons)
        found[source] = {**asdict(figures), "says": said[:SHOWN]}
    if data and (tasks := data / "ifeval" / "prompts.jsonl").is_file():
        rows = [json.loads(line) for line in tasks.read_text(encoding="utf-8").splitlines()]
        tell("giving instructions")
        count, share = examining.followed(model, tokenizer, rows[:TASKS])
        found["instructions"] = {"tasks": count, "followed": share}
    if data and (docs := data / "squad2" / "docs.jsonl").is_file():
        texts = [json.loads(line)["text"] for line in docs.read_text(encoding="utf-8").splitlines()]
        tell("reading plain English")
        found["perplexity"] = examining.perplexity(model, tokenizer, random.Random(0).sample(texts, TEXTS))
    return found


def _told(progress: dict[str, Any]) -> None:
    tell(f"step {progress['step']} of {progress['steps']}, loss {progress['loss']:.3f}")


if __name__ == "__main__":
    typer.run(main)
