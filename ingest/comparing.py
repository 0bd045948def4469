"""The commands about kept evaluations: which there are, the report of one, two side by side."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.options import AsJson, Out
from ingest.tables import console, show

app = typer.Typer()


@app.command("list")
def eval_list(
    kind: Annotated[str | None, typer.Option(help="Only the runs of this kind.")] = None, as_json: AsJson = False
) -> None:
    """The kept runs, newest first."""
    from bot.desk import open_desk
    from bot.quality import report, runs

    kept = runs.listing(open_desk().database, kind)
    value = [
        {
            "run": run.number,
            "kind": run.kind,
            "title": run.title,
            "created_at": run.created_at.isoformat("T", "seconds"),
            "pins": run.pins,
            "figures": run.figures,
        }
        for run in kept
    ]
    names = ("run", "kind", "title", "created_at")
    rows = [{**{name: one[name] for name in names}, "version": report.voice(one["pins"])} for one in value]  # type: ignore[arg-type]
    show(as_json, {"runs": value}, rows)


@app.command("report")
def eval_report(
    number: Annotated[int, typer.Argument(metavar="RUN", help="Its number in `frontdesk eval list`.")],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """A kept run in Markdown: figures with intervals, mistakes with examples, the trend by version."""
    from bot.desk import open_desk
    from bot.quality import report, runs

    database = open_desk().database
    run = runs.find(database, number)
    text = report.markdown(run, runs.alike(run, runs.listing(database, run.kind)))
    _write(
        text, out, as_json, {"run": run.number, "kind": run.kind, "title": run.title, "pins": run.pins, **run.report}
    )


@app.command("compare")
def eval_compare(
    before: Annotated[int, typer.Argument(help="The earlier run.")],
    after: Annotated[int, typer.Argument(help="The later run.")],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Two kept runs: the differences, question by question, with their 95 % intervals, and what changed."""
    from bot.desk import open_desk
    from bot.quality import comparison, report, runs

    database = open_desk().database
    compared = comparison.compare(runs.find(database, before), runs.find(database, after))
    changes = [{**asdict(one), "verdict": one.verdict} for one in (*compared.measures, *compared.mistakes)]
    changed = [{"before": asdict(old), "after": asdict(new)} for old, new in compared.changed]
    value = {"questions": compared.questions, "changes": changes, "changed": changed}
    _write(report.comparison_markdown(compared), out, as_json, value)


def _write(text: str, out: Path | None, as_json: bool, value: dict[str, Any]) -> None:
    if out:
        out.write_text(text, encoding="utf-8")
        console.print(f"Written to {out}.", markup=False)
    elif as_json:
        show(True, value, [])
    else:
        print(text)
