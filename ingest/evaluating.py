"""The commands that measure answers and keep what they measured; `comparing` shows it again, `checking` has the
commands that measure one part alone.

Every evaluation has a library of its own, gone afterwards; the run is kept in the live records.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.records import Answer, Question
from ingest import checking, comparing, speaking, styling
from ingest.options import AsJson, Docs, Limit, Qa, Title, Voice
from ingest.tables import console, kept_as, percent, show, tell

if TYPE_CHECKING:
    from bot.quality.answers import AnswerReport
    from ingest.sets import QuestionSet

app = typer.Typer(
    help="Measure on a question set, keep the runs, compare them. Without a set: the sample company.",
    no_args_is_help=True,
)


@app.command("answers")
def eval_answers(
    docs: Docs = None,
    qa: Qa = None,
    limit: Limit = None,
    adapter: Voice = None,
    title: Title = "",
    details: Annotated[bool, typer.Option(help="Print every question with its answer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Token F1, abstention, citations, support, mistakes by kind and times, each with its 95 % interval."""
    from ingest import sets

    asked = sets.load(docs, qa, limit)
    report, number = _measured(asked, "answers", adapter, title)
    if details:
        _print_answers(asked.questions, report.answers)
    _show_report(report, number, as_json)


@app.command("consistency")
def eval_consistency(
    docs: Docs = None,
    qa: Qa = None,
    limit: Limit = None,
    adapter: Voice = None,
    title: Title = "",
    as_json: AsJson = False,
) -> None:
    """Ask what is asked in several ways (questions with the same right answer), and compare the answers."""
    from bot.quality import consistency
    from bot.quality.report import CONSISTENCY
    from ingest import questions, sample, sets

    whole = sets.load(docs, qa)
    ways = whole.questions if qa else questions.load_questions(sample.FOLDER / "paraphrases.jsonl")
    several = consistency.paraphrased(ways)[:limit]
    if not several:
        raise typer.BadParameter("no two questions of this set have the same right answer")
    report, number = _measured(whole.asking(several), "consistency", adapter, title)
    found = asdict(report.consistency) if report.consistency else {}
    rows = [
        {"measure": text, "value": percent(one["value"]), "95 % interval": _between(one["low"], one["high"])}
        for name, text in CONSISTENCY.items()
        for one in [found[name]]
    ]
    show(as_json, {"run": number, **found}, rows)
    kept_as(number, as_json)


def _measured(asked: "QuestionSet", kind: str, adapter: str | None, title: str) -> "tuple[AnswerReport, int]":
    """Ask, measure, and keep the run in the live records; its number."""
    from bot.desk import open_desk
    from bot.quality import answers, intervals, runs
    from ingest import scratch

    live, voice = open_desk(), speaking.voice(adapter)
    with scratch.library(live, asked.readings, tell) as desk:
        scratch.introduce(desk, [voice] if voice else [])
        report = answers.evaluate(desk, asked.questions, voice.name if voice else "", tell)
    pins = {
        **asked.pins(),
        "model": live.settings.model,
        "adapter": voice.name if voice else "",
        "prompt": ", ".join(sorted({answer.prompt for answer in report.answers})),
        "embedding_model": live.settings.embedding_model,
        "threshold": _threshold(report.answers),
        "passages": live.settings.passages,
        "seed": intervals.SEED,
    }
    return report, runs.keep(live.database, kind, title or asked.name, pins, answers.kept(report))


def _threshold(given: Sequence[Answer]) -> float | None:
    """How much evidence was asked for."""
    return given[0].parameters.get("evidence_threshold") if given else None


def _show_report(report: "AnswerReport", number: int, as_json: bool) -> None:
    from bot.quality import report as writing
    from bot.quality.measures import MEASURES
    from bot.quality.mistakes import KINDS

    rows = [
        {
            "measure": MEASURES[name].title,
            "value": writing.value(name, one.value) if one.measured else "–",
            "95 % interval": writing.span(name, one),
            "of": f"{one.of:,.0f}",
        }
        for name, one in report.intervals.items()
    ]
    rows += [
        {"measure": title, "value": writing.value(name, getattr(report, name)), "95 % interval": "", "of": "median"}
        for name, title in writing.TIMES.items()
    ]
    risk = asdict(report.risk) if report.risk else {}
    rows += [
        {
            "measure": f"Risk-coverage area: {name}",
            "value": percent(one["value"]),
            "95 % interval": _between(one["low"], one["high"]),
            "of": f"{one['of']:,.0f}",
        }
        for name, one in risk.items()
    ]
    value = {
        "run": number,
        **report.figures(),
        "intervals": {name: [one.low, one.high] for name, one in report.intervals.items() if one.measured},
        "mistakes": {mistake.kind: mistake.count for mistake in report.mistakes},
        "consistency": asdict(report.consistency) if report.consistency else None,
        "risk": risk,
    }
    show(as_json, value, rows)
    made = [mistake for mistake in report.mistakes if mistake.count]
    if made and not as_json:
        show(False, None, [_row(KINDS[one.kind].title, one.count, one.share.value) for one in made])
    kept_as(number, as_json)


def _row(kind: str, count: int, share: float) -> dict[str, Any]:
    return {"mistake": kind, "count": count, "of all questions": percent(share)}


def _between(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}"


def _print_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> None:
    for question, answer in zip(questions, answers, strict=True):
        mark = "abstained" if answer.abstained else "quoted" if answer.quoted else "answered"
        cited = ", ".join(citation.document for citation in answer.citations)
        asked = f"{question.question_id} {question.text} ({'answerable' if question.answerable else 'unanswerable'})"
        console.print(f"\n{asked}\n{mark}: {answer.text}  <{cited}> {answer.parameters['evidence']}", markup=False)


app.add_typer(checking.app)
app.add_typer(styling.app)
app.add_typer(comparing.app)
