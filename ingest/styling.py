"""The command that measures how well the answers keep to the house style."""

from typing import Annotated

import typer

from ingest import speaking
from ingest.options import AsJson, Docs, Limit, Qa, Title, Voice
from ingest.tables import console, kept_as, percent, show, tell

app = typer.Typer()


@app.command("style")
def eval_style(
    docs: Docs = None,
    qa: Qa = None,
    limit: Limit = None,
    adapter: Voice = None,
    title: Title = "",
    details: Annotated[bool, typer.Option(help="Print every answer with its score and what it lost.")] = False,
    as_json: AsJson = False,
) -> None:
    """How well the answers keep to the house style (style.yaml), 0 to 100, with its parts."""
    from bot import consult, feedback, style
    from bot.desk import open_desk
    from bot.quality import runs
    from bot.quality import style as measuring
    from bot.style.closeness import Approved
    from ingest import scratch, sets

    live = open_desk()
    asked, wanted = sets.load(docs, qa, limit), style.load(live.settings)
    voice = speaking.voice(adapter)
    approved = Approved.of(live.embeddings, [row.rewrite for row in feedback.trainable(live.database)])
    with scratch.library(live, asked.readings, tell) as desk:
        scratch.introduce(desk, [voice] if voice else [])
        given = []
        for number, question in enumerate(asked.questions, start=1):
            tell(f"asking {number} of {len(asked.questions)}")
            given.append(consult.ask(desk, question.text, question.history, voice.name if voice else ""))
    report = measuring.measure(given, wanted, approved)
    figures = measuring.figures(report)
    pins = {**asked.pins(), "model": live.settings.model, "adapter": voice.name if voice else ""}
    flat = {"style": report.score.value, **{name: one.value for name, one in report.parts.items()}}
    kept = runs.keep(live.database, "style", title or asked.name, pins, {"figures": flat})
    if details:
        for one in report.scored:
            console.print(f"\n{one.score.total:.0f} {one.text}\n   {' '.join(one.score.faults)}", markup=False)
    rows = [
        {"measure": name, "value": percent(one.value), "95 % interval": f"{percent(one.low)} to {percent(one.high)}"}
        for name, one in {"style score": report.score, **report.parts}.items()
    ]
    show(as_json, {"run": kept, **figures}, rows)
    kept_as(kept, as_json)
