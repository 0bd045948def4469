"""`python -m workers.style.consultant.beside --data DIR` asks the base model and the consultant in turn, or two
consultants: the same questions, the same search, the same checks.

The model server has to run the base model (`FRONTDESK_MODEL=smollm2-135m-instruct`). A consultant is loaded to it as an
adapter and takes the base's place as the model that answers: one server, so that nothing but the adapter differs.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot import consult, model
from bot.desk import Desk, open_desk
from bot.errors import SettingsError
from bot.quality import answers, comparison, report
from bot.quality.runs import Run
from bot.records import Adapter, Answer
from bot.serving import weights
from ingest import scratch, sets
from ingest.calibrating import MANUAL
from ingest.sets import QuestionSet
from ingest.tables import tell
from workers.style.consultant import public

SETS = ("squad2", "emanual", "sample")


def main(
    data: Annotated[Path, typer.Option(help="The folder of public sets, each {docs,qa}.jsonl.")],
    adapter: Annotated[Path, typer.Option(help="The adapter's folder.")] = weights.CONSULTANT,
    other: Annotated[Path | None, typer.Option(help="An adapter to compare it with, instead of the base.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many questions of a set.")] = 100,
    only: Annotated[str, typer.Option(help="Sets, separated by commas.")] = ",".join(SETS),
    seed: Annotated[int, typer.Option(help="Draws the questions, and what training holds out.")] = 20261121,
) -> None:
    """Print both reports of each set side by side, in Markdown."""
    desk = open_desk()
    if desk.settings.model != weights.BASE_MODEL:
        raise SettingsError(f"Start Frontdesk with FRONTDESK_MODEL={weights.BASE_MODEL}, the model without adapter.")
    now = datetime.now(UTC)
    # Named after the model, so that a follow-up is understood in the same way; with the time, since a server keeps what
    # it has loaded under a name.
    names = [f"{weights.BASE_MODEL}-{now:%H%M%S}-{n}" for n in range(2)]
    speakers = [_loaded(desk, one, name, now) for one, name in zip((other, adapter), names, strict=True)]
    for kind in only.split(","):
        given = _answers(desk, _chosen(kind, data, limit, seed), speakers)
        print(f"\n<!-- {kind} -->\n{report.comparison_markdown(given)}", flush=True)
    for name in set(speakers) - {weights.BASE_MODEL}:
        model.drop_adapter(desk.settings, name)


def _loaded(desk: Desk, folder: Path | None, name: str, now: datetime) -> str:
    """Have the server read an adapter; the name by which it is asked, without one the base's."""
    if folder is None:
        return weights.BASE_MODEL
    voice = Adapter(name, "candidate", str(folder.resolve()), None, weights.BASE_MODEL, {}, {}, now, None)
    model.ensure_adapter(desk.settings, voice)
    return name


def _chosen(name: str, data: Path, limit: int, seed: int) -> QuestionSet:
    """The documents that were kept out of the training, and questions about them."""
    if name == "sample":
        whole = sets.load(None, None)
        return whole.asking(random.Random(seed).sample(list(whole.questions), min(limit, len(whole.questions))))
    whole = sets.load(data / name / "docs.jsonl", data / name / "qa.jsonl")
    places = [place for place, _ in whole.readings]
    kept = {place for place in places if place.startswith(MANUAL)}
    if name != "emanual":
        kept = public.held_out(name, places, seed)
    asked = [one for one in whole.questions if set(one.documents) & kept]
    chosen = random.Random(seed).sample(asked, min(limit, len(asked)))
    readings = [(place, reading) for place, reading in whole.readings if place in kept]
    return replace(whole, readings=readings, questions=chosen)


def _answers(desk: Desk, asked: QuestionSet, speakers: Sequence[str]) -> comparison.Comparison:
    given: dict[str, list[Answer]] = {name: [] for name in speakers}
    with scratch.library(desk, asked.readings, tell) as library:
        for number, question in enumerate(asked.questions, start=1):
            tell(f"asking {number} of {len(asked.questions)}")
            for name, said in given.items():
                speaking = replace(library, settings=library.settings.model_copy(update={"model": name}))
                said.append(consult.ask(speaking, question.text, question.history, ""))
        reports = [answers.kept(answers.report(library, asked.questions, said)) for said in given.values()]
    now = datetime.now(UTC)
    runs = [
        Run(number, "answers", name, {**asked.pins(), "model": name}, found, now)
        for number, (name, found) in enumerate(zip(given, reports, strict=True), start=1)
    ]
    return comparison.compare(*runs)


if __name__ == "__main__":
    typer.run(main)
