"""`python -m ingest.calibrating --data DIR` fits `bot/confidence.json` on development sets and prints how good it is.

DIR holds squad2/, clapnq/ and, if they are there, emanual/ and policyqa/ (each docs.jsonl and qa.jsonl); the sample
company comes along. Every set is asked through the real search in a library of its own, on the servers that are up.
The models learn from the sample, squad2 and clapnq; the others are only measured. Of squad2 only those articles count
that the reader (`bot/models/reader`) has not learned from.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import documents, evidence, retrieve, sentences
from bot.desk import Desk, open_desk
from bot.evidence import Evidence, calibrated, confidence
from bot.evidence.calibrated import Calibration, Model
from bot.quality import calibration, overlap, risk
from bot.quality.calibration import Case, Row
from bot.records import Citation, Passage, Question, Sentence
from bot.serving import reader
from ingest import scratch, sets
from ingest.sets import QuestionSet
from ingest.tables import show, tell

LEARNT_FROM = ("sample", "squad2", "clapnq")
MEASURED = ("emanual", "policyqa")
QUOTED_FROM = ("sample", "squad2")  # their answers are short enough to stand in one sentence
MANUAL = "galaxy_s10/"  # emanual has five devices' manuals, and asks about this one
NOT_FAR_BEHIND = 0.1  # the best sentence
POLICIES = 300
SEED = 20_260


@dataclass(frozen=True)
class Asked:
    """A question of a set, the folder of the library it is asked of, and the group it must not be parted from."""

    question: Question
    collection: str
    group: Callable[[str], str]


def main(
    data: Annotated[Path, typer.Option(help="The folder of development sets.")],
    questions: Annotated[int, typer.Option(help="At most so many questions of a set.")] = 500,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = calibrated.PLACE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print, and leave the file alone.")] = False,
) -> None:
    """Fit the confidence of answers, and print what it is worth."""
    desk = open_desk()
    cases: list[Case] = []
    said: list[Case] = []
    for name in (*LEARNT_FROM, *MEASURED):
        if found := _cases(desk, data, name, questions):
            cases += found[0]
            said += found[1]
    fitted, confidences = _fitted(cases, _judging_answers([case for case in said if case.set in QUOTED_FROM]))
    _print(cases, confidences, fitted)
    sizes = {name: sum(case.set == name for case in cases) for name in LEARNT_FROM}
    made_with = {"sets": sizes, "embedding_model": desk.embedding_model, "passages": desk.settings.passages}
    if not dry_run:
        calibrated.save(replace(fitted, made_with=made_with), out)


def _fitted(cases: Sequence[Case], after: Model) -> tuple[Calibration, list[float]]:
    """The model before generation, and every case's confidence: cross-validated for those that it learns from."""
    learnt = [case for case in cases if case.set in LEARNT_FROM]
    names = list(learnt[0].signs)
    model = calibration.fit(learnt, names)
    confidences = calibration.cross_validated(learnt, names)
    at = calibration.threshold(learnt, confidences, calibration.BUSINESS)
    points = calibration.curve(learnt, confidences)
    fitted = Calibration({}, model, after, at, points)
    return fitted, [*confidences, *(model.probability(case.signs) for case in cases[len(learnt) :])]


def _judging_answers(said: Sequence[Case]) -> Model:
    """The model after generation. Prints how much the answer adds to what was known before it."""
    names = list(said[0].signs)
    found = [case.signs["found"] for case in said]
    rows = []
    for judged, sure in (("before", found), ("after", calibration.cross_validated(said, names))):
        for one in dict.fromkeys(case.set for case in said):
            chosen = [(value, case.answerable) for value, case in zip(sure, said, strict=True) if case.set == one]
            value = risk.separation([value for value, _ in chosen], [right for _, right in chosen])
            rows.append({"set": one, "judged": judged, "answers": len(chosen), "separation": f"{value:.3f}"})
    show(False, None, rows)
    return calibration.anchored(calibration.fit(said, names), "found")


def _cases(desk: Desk, data: Path, name: str, most: int) -> tuple[list[Case], list[Case]] | None:
    """What a set's questions show before an answer, and what the answers show that could be given. None where the set
    is not there."""
    folder = data / name
    if name != "sample" and not folder.is_dir():
        tell(f"{name} is left out: {folder} is not there")
        return None
    whole = sets.load(folder / "docs.jsonl", folder / "qa.jsonl") if name != "sample" else sets.load(None, None)
    readings, asked = _arranged(name, whole)
    asked = random.Random(SEED).sample(asked, len(asked))
    unread = set(json.loads((reader.ADAPTER / "meta.json").read_text(encoding="utf-8"))["kept"].get(name, ()))
    found: list[Case] = []
    said: list[Case] = []
    with scratch.library(desk, readings, tell) as library:
        for one in asked:
            if len(found) == most:
                break
            passages = _passages(library, one)
            if not passages:
                continue
            group = one.group(passages[0].document)
            if unread and group not in unread:
                continue
            queries = retrieve.standalone(one.question.text, one.question.history, library, one.collection)
            seen = evidence.weigh(library, queries, passages)
            if not seen.best:
                continue
            if len(found) % 50 == 0:
                tell(f"{name}: {len(found)} of at most {min(most, len(asked))}")
            near = _nearest(library, one)
            found.append(_before(name, one.question, seen, group, near))
            said += _after(name, one.question, passages, seen, group, near)
    return found, said


def _arranged(name: str, whole: QuestionSet) -> tuple[Sequence[tuple[str, Any]], list[Asked]]:
    """The set's documents as they are filed, and its questions."""
    if name == "policyqa":
        return _policies(whole)
    if name == "emanual":
        readings = [(place, reading) for place, reading in whole.readings if place.startswith(MANUAL)]
        return readings, [Asked(question, "", str) for question in whole.questions]
    article: Callable[[str], str] = (lambda place: place.partition("::")[0]) if name == "squad2" else str
    return whole.readings, [Asked(question, "", article) for question in whole.questions]


def _policies(whole: QuestionSet) -> tuple[Sequence[tuple[str, Any]], list[Asked]]:
    """Each site's policy in a folder of its own; every question is asked there and, as one that has no answer, of
    another site. These negatives are noisy: another policy often says something that answers."""
    chance = random.Random(SEED)
    filed = {
        place: f"{place.partition('::')[0].replace('/', '-')}/{place.rpartition('::')[2]}"
        for place, _ in whole.readings
    }
    sites = sorted({place.partition("/")[0] for place in filed.values()})
    asked = []
    for question in chance.sample(list(whole.questions), min(POLICIES, len(whole.questions))):
        own = replace(question, documents=tuple(filed[place] for place in question.documents))
        home = own.documents[0].partition("/")[0]
        stranger = chance.choice([site for site in sites if site != home])
        elsewhere = replace(own, question_id=f"{own.question_id}-elsewhere", documents=(), answers=(), answerable=False)
        asked += [Asked(own, home, _site), Asked(elsewhere, stranger, _site)]
    return [(filed[place], reading) for place, reading in whole.readings], asked


def _site(place: str) -> str:
    return place.partition("/")[0]


def _before(name: str, question: Question, seen: Evidence, group: str, near: float) -> Case:
    best = seen.best
    right = question.answerable and best is not None and _holds(best[0].document, best[0].text, question)
    return Case(name, seen.features, question.answerable, right, group, near)


def _after(
    name: str, question: Question, passages: Sequence[Passage], seen: Evidence, group: str, near: float
) -> list[Case]:
    """The answers that copy one sentence of what was found, as those of a small model mostly do; also sentences that it
    is not shown, since what is to be learnt is how much it matters to lie behind. Here "answerable" means that the
    sentence holds the right answer."""
    return [
        Case(name, confidence.signs(seen, [_copied(passage, text)], (), False), right, right, group, near)
        for passage in passages
        for text in sentences.split(passage.text)
        if seen.behind(passage.chunk_id, text) <= NOT_FAR_BEHIND
        for right in [question.answerable and overlap.holds(text, question.answers)]
    ]


def _copied(passage: Passage, text: str) -> Sentence:
    place = (passage.document, passage.title, passage.page, passage.heading)
    return Sentence(text, (Citation(1, *place, text, passage.chunk_id, passage.version_id),))


def _nearest(library: Desk, asked: Asked) -> float:
    """The cosine of the nearest chunk, which is the baseline."""
    versions = documents.active_versions(library.database, asked.collection) if asked.collection else None
    found = library.knowledge.nearest([library.embeddings.embed_query(asked.question.text)], 1, versions)
    return max((cosine for _, cosine in found[0]), default=0.0)


def _passages(library: Desk, asked: Asked) -> list[Passage]:
    """As a consultation finds them."""
    question = asked.question
    retriever = retrieve.PassageRetriever(
        desk=library, k=library.settings.passages, history=question.history, collection=asked.collection
    )
    return [document.metadata["passage"] for document in retriever.invoke(question.text)]


def _holds(document: str, text: str, question: Question) -> bool:
    return document in question.documents or overlap.holds(text, question.answers)


def _print(cases: Sequence[Case], confidences: Sequence[float], fitted: Calibration) -> None:
    _print_model("before", fitted.before)
    _print_model("after", fitted.after)
    tell(f"threshold {fitted.threshold}")
    rows = [_plain(row) for row in calibration.rows(cases, confidences, fitted.threshold)]
    show(
        False, None, [{"measure": name} | {row["set"]: row[name] for row in rows} for name in rows[0] if name != "set"]
    )


def _print_model(name: str, model: Model) -> None:
    show(False, None, [{name: sign, "weight": weight} for sign, weight in model.weights.items()])


def _plain(row: Row) -> dict[str, str]:
    flat = asdict(row)
    rates = flat.pop("at_threshold")
    values = {**flat, "answered": rates["coverage"], "answered wrongly": rates["risk"]}
    return {name: f"{value:.3f}" if isinstance(value, float) else str(value) for name, value in values.items()}


if __name__ == "__main__":
    typer.run(main)
