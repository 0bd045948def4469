"""The commands about documents and about how well they are answered from."""

import json
import time
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
DONE = ("indexed", "failed", "quarantined")
console = Console()


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(exists=True, readable=True, help="Files, or folders of files.")],
    wait: Annotated[bool, typer.Option(help="Wait until every file is answerable or has failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy files into the inbox."""
    from bot import inbox
    from bot.desk import open_desk
    from ingest import watch

    desk = open_desk()
    limit = desk.settings.max_file_megabytes
    begun = time.perf_counter()
    files_of = [file for path in paths for file in (watch.documents_in(path) if path.is_dir() else [path])]
    saved = {inbox.save(desk.settings.inbox_dir, file.name, file.read_bytes(), limit).name for file in files_of}
    states = _wait(saved, begun) if wait else dict.fromkeys(saved, ("queued", 0, None, 0.0))
    files = [
        {"path": name, "state": state, "chunks": chunks, "error": error, "ms": ms}
        for name, (state, chunks, error, ms) in sorted(states.items())
    ]
    _show(as_json, {"files": files}, files)


@app.command()
def documents(as_json: AsJson = False) -> None:
    """List the documents and how far each has come."""
    from bot import documents as ledger
    from bot.desk import open_desk

    rows = [_row(document) for document in ledger.listing(open_desk().database)]
    _show(as_json, {"documents": rows}, rows)


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


def _wait(names: set[str], begun: float) -> dict[str, tuple[str, int, str | None, float]]:
    """(state, chunks, error, milliseconds) of each file, once every one of them has ended."""
    from bot import documents as ledger
    from bot.desk import open_desk

    desk = open_desk()
    done: dict[str, tuple[str, int, str | None, float]] = {}
    with console.status("indexing") as status:
        while len(done) < len(names):
            ms = round(1000 * (time.perf_counter() - begun), 1)
            ended = [one for one in ledger.listing(desk.database) if one.path in names and one.state in DONE]
            done = {one.path: (one.state, one.chunks, one.error, ms) for one in ended} | done
            status.update(f"indexing: {len(done)} of {len(names)} done")
            time.sleep(0.1)
    return done


def _row(document: Document) -> dict[str, Any]:
    return {
        "path": document.path,
        "title": document.title,
        "state": document.state,
        "chunks": document.chunks,
        "pages": document.pages,
        "freshness_ms": document.freshness_ms and round(document.freshness_ms),
        "error": document.error,
    }


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
