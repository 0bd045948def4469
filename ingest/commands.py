"""The commands about documents; those about how well they are answered from are in `evaluating`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.records import Document
from ingest import evaluating
from ingest.options import AsJson
from ingest.tables import console, show

app = typer.Typer()
app.add_typer(evaluating.app, name="eval")


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
    show(as_json, {"files": rows}, rows)


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
    show(as_json, {"documents": rows, "freshness_last_day": fresh}, [_short(row) for row in rows])


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
    show(as_json, asdict(found), differing or [{"result": "no difference"}])
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
