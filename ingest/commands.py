"""The commands about documents and about how well they are answered from."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.records import Adapter, Document

app = typer.Typer()
evaluation = typer.Typer(help="Measure on a question set: retrieval, answers.", no_args_is_help=True)
app.add_typer(evaluation, name="eval")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
console = Console()


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(exists=True, readable=True, help="Files, or folders of files.")],
    wait: Annotated[bool, typer.Option(help="Wait until every file is answerable or has failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy files into the inbox; a folder's sub-folders become collections there."""
    from bot.desk import open_desk
    from ingest import following

    desk = open_desk()
    files = following.copy_in(desk, paths)
    if wait:
        files = following.until_done(desk, files, quiet=as_json)
    rows = [asdict(file) for file in files]
    _show(as_json, {"files": rows}, rows)


@app.command()
def documents(
    retry: Annotated[str | None, typer.Option(help="Try the document of this path again.", metavar="PATH")] = None,
    remove_missing: Annotated[
        bool, typer.Option("--remove-missing", help="Confirm that the documents whose files are gone are to go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the documents and how far each has come."""
    from bot import documents as ledger
    from bot import inbox
    from bot.desk import open_desk

    desk = open_desk()
    if retry:
        inbox.retry(desk.settings, desk.database, retry)
    if remove_missing:
        inbox.withdraw_missing(desk.settings, desk.database, inbox.missing(desk.settings, desk.database))
    rows = [_row(document) for document in ledger.listing(desk.database)]
    fresh = asdict(ledger.freshness(desk.database))
    _show(as_json, {"documents": rows, "freshness_last_day": fresh}, [_short(row) for row in rows])


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False, as_json: AsJson = False
) -> None:
    """Compare folder, ledger, chunk table, lexical index and Chroma; exit with 1 where they differ."""
    from bot.desk import open_desk
    from ingest import reconcile

    desk = open_desk()
    found = reconcile.repair(desk) if repair else reconcile.verify(desk)
    differing = [{"what": name.replace("_", " "), "items": items} for name, items in asdict(found).items() if items]
    _show(as_json, asdict(found), differing or [{"result": "no difference"}])
    raise typer.Exit(1 if found.any else 0)


@app.command()
def sample(
    remove: Annotated[bool, typer.Option("--remove", help="Take the sample company away.")] = False,
) -> None:
    """Load the sample company, or take it away."""
    from bot import inbox
    from bot.desk import open_desk
    from ingest import sample as company

    desk = open_desk()
    if remove:
        inbox.remove_sample(desk.settings, desk.database)
        console.print("The sample company is being removed.")
    elif company.install(desk):
        console.print("The sample company is being loaded.")
    else:
        console.print("There are documents already, so the sample company was not loaded.")


@evaluation.command("retrieval")
def eval_retrieval(
    docs: Path | None = None, qa: Path | None = None, limit: int | None = None, as_json: AsJson = False
) -> None:
    """Recall, nDCG and MRR of the dense leg, the lexical leg and both (the sample company where no set is given)."""
    from bot.quality import ranking

    with _library(docs, qa, limit) as (desk, questions):
        rows = [asdict(report) for report in ranking.evaluate(desk, questions, _tell)]
    _show(as_json, {"retrieval": rows}, rows)


@evaluation.command("answers")
def eval_answers(
    docs: Path | None = None,
    qa: Path | None = None,
    limit: int | None = None,
    adapter: Annotated[str | None, typer.Option(help="Who speaks, or 'base'; the active version if not given.")] = None,
    details: Annotated[bool, typer.Option(help="Print every question with its answer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Token F1, abstention, citations, support and times (the sample company where no set is given)."""
    from bot.quality import answers
    from ingest import scratch

    voice = _voice(adapter)
    with _library(docs, qa, limit) as (desk, questions):
        scratch.introduce(desk, [voice] if voice else [])
        report = answers.evaluate(desk, questions, voice.name if voice else "", _tell)
    if details:
        _print_answers(questions, report.answers)
    figures = {name: value for name, value in vars(report).items() if name != "answers"}
    _show(as_json, figures, [{"measure": name, "value": value} for name, value in figures.items()])


def _voice(name: str | None) -> Adapter | None:
    """The version that speaks in an evaluation: by name, or the active one; None is the base model."""
    from bot import adapters
    from bot.desk import open_desk

    database = open_desk().database
    if name == "base":
        return None
    return adapters.find(database, name) if name else adapters.active(database)


@contextmanager
def _library(docs: Path | None, qa: Path | None, limit: int | None) -> Iterator[tuple[Any, list[Any]]]:
    from bot.desk import open_desk
    from ingest import questions, sample, scratch

    if (docs is None) != (qa is None):
        raise typer.BadParameter("give --docs and --qa together, or neither for the sample company")
    asked = questions.load_questions(qa) if qa else sample.questions()
    readings = scratch.from_texts(questions.load_texts(docs)) if docs else scratch.from_files(sample.paths())
    with scratch.library(open_desk(), readings, _tell) as desk:
        yield desk, asked[:limit]


def _row(document: Document) -> dict[str, Any]:
    return {
        "path": document.path,
        "title": document.title,
        "state": document.state,
        "chunks": document.chunks,
        "pages": document.pages,
        "freshness_ms": document.freshness_ms and round(document.freshness_ms),
        "timings_ms": document.timings_ms,
        "owner": document.meta.owner,
        "valid_from": document.meta.valid_from,
        "valid_until": document.meta.valid_until,
        "notes": list(document.notes),
        "error": document.error,
    }


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("path", "title", "state", "chunks", "pages", "freshness_ms", "error")}


def _print_answers(questions: list[Any], answers: tuple[Any, ...]) -> None:
    for question, answer in zip(questions, answers, strict=True):
        mark = "abstained" if answer.abstained else "quoted" if answer.quoted else "answered"
        cited = ", ".join(citation.document for citation in answer.citations)
        console.print(
            f"\n[bold]{question.question_id}[/] {question.text} ({'answerable' if question.answerable else '—'})"
        )
        console.print(f"{mark}: {answer.text}  <{cited}> {answer.parameters}", markup=False)


def _tell(text: str) -> None:
    Console(stderr=True).print(text, end="\r" if Console(stderr=True).is_terminal else "\n", style="dim")


def _show(as_json: bool, value: Any, rows: list[dict[str, Any]]) -> None:
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
        return
    if not rows:
        console.print("Nothing yet.")
        return
    table = Table(*rows[0].keys(), box=None, header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
    console.print(table)
