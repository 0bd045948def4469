"""What each guard of the style training is worth: style gained against facts moved, over several seeds.

`python -m tests.benchmarks.ablation [--unknown DIR] [--seeds 3] [--notes FILE]`: the sample company's approved
rewrites, and, from a folder of entity_questions, rows whose facts stand in no passage, as if reviewers had approved
what the documents do not say. Curation would refuse those; here they are forced past it, so that the other guards can
be seen. What a version makes of the sentence that the base would quote is measured raw: greedy, as it comes from the
model, without the checks that stop an unsupported sentence. With a file of notes, a run that was cut off goes on.
"""

import argparse
import gzip
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers.utils.logging import disable_progress_bar

from bot import evidence, feedback, ground, prompts, sentences, style
from bot.consult import messages
from bot.desk import Desk
from bot.quality import overlap
from bot.records import Feedback, Passage, Question
from bot.retrieve import PassageRetriever
from bot.settings import Settings, load_settings
from ingest import sample, scratch
from tests import full_stack
from workers.style import gate, keeping, known
from workers.style.lessons import Lesson, as_shown, fit_rows, lesson
from workers.style.recipe import Recipe
from workers.style.splitting import split
from workers.style.train import answering, load_base, train

UNKNOWN_ROWS, QUESTIONS, SAID_TOKENS = 12, 24, 48
SAID = {"P50": "{} was written by {}.", "P36": "The capital of {} is {}.", "P106": "{} works as a {}."}


@dataclass(frozen=True)
class Guards:
    """A way to train."""

    name: str
    fact_weight: float = 1.0
    replay_share: float = 0.0
    known_only: bool = False
    preference_epochs: int = 0


VARIANTS = (
    Guards("plain SFT"),
    Guards("+ facts left to the base", fact_weight=0.0),
    Guards("+ replay", replay_share=1.0),
    Guards("+ Unknown filter", known_only=True),
    Guards("replay and filter", replay_share=1.0, known_only=True),
    Guards("replay, filter, DPO", replay_share=1.0, known_only=True, preference_epochs=1),
)


@dataclass(frozen=True)
class Asked:
    """A question as a style gets it, with one sentence to say in its way."""

    question: Question
    prompt: tuple[dict[str, str], ...]
    excerpts: Sequence[Passage]


def main() -> None:
    """Train every variant with every seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unknown", type=Path, help="a folder of entity_questions")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[one.name for one in VARIANTS])
    parser.add_argument("--notes", type=Path, help="what is done of a run with these arguments; it goes on from there")
    chosen = parser.parse_args()
    disable_progress_bar()
    models = load_settings().models.resolve()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        with full_stack.running(Path(folder), models) as stack:
            rows = prepared(stack.desk, chosen.unknown)
            asked = questions(stack.desk)
        settings = stack.desk.settings.model_copy(update={"train_epochs": chosen.epochs})
        notes = Notes(chosen.notes)
        variants = [one for one in VARIANTS if one.name in chosen.only]
        kept = notes.once("known rows", lambda: known_rows(stack.desk, settings, rows))
        taught = [row for row in rows if row.feedback_id in kept]
        base, tokenizer, _ = load_base(settings)
        show("base", [notes.once("base", lambda: measured(base, tokenizer, asked))])
        runs: dict[str, list[dict[str, float]]] = {one.name: [] for one in variants}
        for seed in range(chosen.seeds):  # the variants in turns, so that a run that is cut off has said of all
            for guards in variants:
                name, of = f"{guards.name}, seed {seed}", taught if guards.known_only else rows
                done = notes.once(name, partial(run, stack.desk, settings, guards, of, asked, seed))
                runs[guards.name].append(done)
                show(name, [done])
        for name, several in runs.items():
            show(name, several)


class Notes:
    """What is done, by its name, a line each in a file where there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        self._done: dict[str, Any] = dict(map(json.loads, lines))

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """What came of the work, done now if it was not before."""
        if name not in self._done:
            self._done[name] = work()
            if self._file:
                with self._file.open("a") as file:
                    file.write(json.dumps([name, self._done[name]]) + "\n")
        return self._done[name]


def known_rows(desk: Desk, settings: Settings, rows: Sequence[Feedback]) -> list[int]:
    """The ids of the rows that the Unknown filter keeps."""
    begun, seed = time.perf_counter(), Recipe.of(settings).seed
    found = known.sort(desk, rows, answering(settings), prompts_each=2, samples=4, seed=seed)
    print(f"{len(rows)} rows, sorted in {time.perf_counter() - begun:.0f} s: {found.mix}", flush=True)
    return [row.feedback_id for row in found.kept]


def prepared(desk: Desk, unknown: Path | None) -> list[Feedback]:
    """The sample's rows as a consultation would show them, and rows that state what no passage does."""
    rows = list(fit_rows(desk).kept)
    if unknown is None:
        print("no entity_questions: without rows that state unknown facts the Unknown filter has little to do")
        return rows
    return rows + [as_shown(desk, row) for row in forced(desk, rows, unknown)]


def forced(desk: Desk, rows: Sequence[Feedback], folder: Path) -> list[Feedback]:
    """Rows in the house style about facts of the world, beside a passage of the company's that says nothing of them."""
    chance, made = random.Random(0), []
    for relation, saying in SAID.items():
        facts = json.loads(gzip.decompress((folder / f"{relation}.dev.json.gz").read_bytes()))
        for fact in chance.sample(facts, UNKNOWN_ROWS // len(SAID) + 1):
            subject = fact["question"].rstrip("?").split(" of " if " of " in fact["question"] else " does ")[-1]
            told = saying.format(subject.removesuffix(" do"), fact["answers"][0])
            made.append((fact["question"], f"Happy to help: we can tell you that {told} [1]"))
    for number, (question, rewrite) in enumerate(made[:UNKNOWN_ROWS]):
        passages = chance.choice(rows).evidence[:1]
        feedback.add_approved(desk.database, f"unknown-{number}", question, rewrite, passages, rewrite, "benchmark")
    return [row for row in feedback.trainable(desk.database) if row.answer_id.startswith("unknown-")]


def questions(desk: Desk) -> list[Asked]:
    """Answerable questions of the sample, each with its best sentence, as a consultation asks a style."""
    answerable = [one for one in sample.questions() if one.answerable]
    prompt = prompts.load("answer")
    with scratch.library(desk, scratch.from_files(sample.paths())) as library:
        made = []
        for one in gate.pick(answerable, QUESTIONS):
            retriever = PassageRetriever(desk=library, k=desk.settings.passages, history=one.history)
            found = [document.metadata["passage"] for document in retriever.invoke(one.text)]
            if best := evidence.weigh(library, [one.text], found).best:
                read = (replace(best[0], text=best[1]),)
                made.append(Asked(one, prompts.plain(messages(library, prompt, one.text, read)), read))
    return made


def run(
    desk: Desk, settings: Settings, guards: Guards, rows: Sequence[Feedback], asked: Sequence[Asked], seed: int
) -> dict[str, float]:
    """Train once; what the version says, and what it knows without passages."""
    changed = {"train_preference_epochs": guards.preference_epochs, "train_replay_share": guards.replay_share}
    settings = settings.model_copy(update={**changed, "train_fact_weight": guards.fact_weight})
    parts = split(rows)
    learn, dev, test = ([weighed(desk, row, guards) for row in part] for part in parts)
    recipe = replace(Recipe.of(settings), seed=seed)
    trained = train(settings, "style-v1", learn, dev, lambda _: None, test=test, recipe=recipe)
    base, tokenizer, _ = load_base(settings)
    found = measured(PeftModel.from_pretrained(base, trained.path), tokenizer, asked)
    book = trained.meta["closed_book"]
    right = 100 * (book["known"] - book["lost"] + book["found"]) / book["questions"]
    return {**found, "closed book": right, "KL": book["kl"], "seconds": trained.meta["seconds"]}


def weighed(desk: Desk, row: Feedback, guards: Guards) -> Lesson:
    """The row as a lesson."""
    return replace(lesson(desk, row), fact_weight=guards.fact_weight)


def measured(model: Any, tokenizer: Any, asked: Sequence[Asked]) -> dict[str, float]:
    """The style score (0..100), the share of the right words said and of sentences that the excerpts support, %."""
    said = keeping.told(model, tokenizer, [one.prompt for one in asked], SAID_TOKENS)
    guide = style.load(load_settings())
    lines = [(sentence, one) for text, one in zip(said, asked, strict=True) for sentence in sentences.split(text)]
    claimed = [not ground.unsupported(sentence, one.excerpts) for sentence, one in lines]
    return {
        "style": mean(style.score(text, guide).total for text in said),
        "right words": 100
        * mean(overlap.recall(text, one.question.answers) for text, one in zip(said, asked, strict=True)),
        "supported": 100 * mean(claimed),
    }


def mean(values: Any) -> float:
    """Of any numbers."""
    return statistics.fmean(values)


def show(name: str, runs: Sequence[dict[str, float]]) -> None:
    """One line: medians over the seeds, with the least and the greatest."""
    figure: Callable[[str], str] = lambda key: _spread([one[key] for one in runs])  # noqa: E731  short, and used once
    print(f"| {name} | " + " | ".join(f"{key} {figure(key)}" for key in runs[0]) + " |", flush=True)


def _spread(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
