"""The options that several commands of this package share."""

from pathlib import Path
from typing import Annotated

import typer


def _both_or_neither(context: typer.Context, qa: Path | None) -> Path | None:
    if (context.params.get("docs") is None) != (qa is None):
        raise typer.BadParameter("give --docs and --qa together, or neither for the sample company")
    return qa


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Docs = Annotated[Path | None, typer.Option(is_eager=True, help="docs.jsonl: {doc_id, title, text}, one a line.")]
Qa = Annotated[
    Path | None,
    typer.Option(callback=_both_or_neither, help="qa.jsonl: {id, question, answers, doc_ids, answerable}, one a line."),
]
Limit = Annotated[int | None, typer.Option(help="Only the first so many questions.")]
Voice = Annotated[str | None, typer.Option(help="Who speaks, or 'base'; the active version if not given.")]
Title = Annotated[str, typer.Option(help="What the kept run is called; the set's name if not given.")]
Out = Annotated[Path | None, typer.Option(help="Write it to this file instead of the screen.")]
