"""The commands that measure one part of the bot by itself: search, verification, the defence against injection."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import SettingsError
from ingest.options import AsJson, Docs, Limit, Qa, Title
from ingest.tables import kept_as, percent, show, tell

if TYPE_CHECKING:
    from bot.quality.verification import Share
    from ingest.sets import QuestionSet

app = typer.Typer()

# The measures of a `RankingReport` that are kept, as a table's columns call them.
RANKED = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_20": "R@20",
    "ndcg_at_10": "nDCG@10",
    "mrr_at_10": "MRR@10",
    "missed_at_5": "missed@5",
    "query_ms": "ms",
    "query_ms_p95": "ms p95",
}


@app.command("retrieval")
def eval_retrieval(
    docs: Docs = None, qa: Qa = None, limit: Limit = None, title: Title = "", as_json: AsJson = False
) -> None:
    """Recall, nDCG and MRR of the dense leg, the lexical leg and both."""
    from bot.desk import open_desk
    from bot.quality import ranking
    from ingest import scratch, sets

    asked = sets.load(docs, qa, limit)
    with scratch.library(open_desk(), asked.readings, tell) as desk:
        rows = [asdict(report) for report in ranking.evaluate(desk, asked.questions, tell)]
    named = {_leg(row, rows[0]["questions"]): row for row in rows}
    figures = {f"{leg} {name}": row[name] for leg, row in named.items() for name in RANKED}
    number = _keep("retrieval", title, asked, figures)
    shown = [{"": leg, **{short: row[name] for name, short in RANKED.items()}} for leg, row in named.items()]
    show(as_json, {"run": number, "retrieval": rows}, shown)
    if gain := next((row["gain_at_5"] for row in rows if row["gain_at_5"]), None):
        tell("recall@5 of the hybrid over the better leg: {:+.4f} (95 % interval {:+.4f} to {:+.4f})".format(*gain))
    kept_as(number, as_json)


@app.command("verification")
def eval_verification(
    docs: Docs = None,
    qa: Qa = None,
    limit: Annotated[int, typer.Option(help="How many true and how many corrupted sentences.")] = 500,
    title: Title = "",
    as_json: AsJson = False,
) -> None:
    """The share of sentences corrupted in one number, date, name or denial that is stopped, and of true ones."""
    from bot.desk import open_desk
    from bot.quality import verification
    from ingest import sets

    asked = sets.load(docs, qa)
    judged = verification.cases(asked.texts, asked.questions, limit)
    report = verification.evaluate(open_desk().embeddings, judged, tell)
    shares = [report.corrupted, report.true, *report.kinds, *report.sources]
    number = _keep("verification", title, asked, *_figures("stopped: ", shares))
    show(as_json, {"run": number, **asdict(report)}, [_row("stopped", one) for one in shares if one.cases])
    kept_as(number, as_json)


@app.command("injection")
def eval_injection(
    attacks: Annotated[Path, typer.Option(exists=True, help="JSON: {category: [instruction, ...]}.")],
    docs: Docs = None,
    qa: Qa = None,
    limit: Annotated[int | None, typer.Option(help="Only so many attacks.")] = None,
    title: Title = "",
    as_json: AsJson = False,
) -> None:
    """The share of instructions hidden in documents that change the answer, with the defences and without."""
    from bot.desk import open_desk
    from bot.quality import injection
    from ingest import scratch, sets

    asked = sets.load(docs, qa)
    trials, documents = injection.trials(_attacks(attacks), asked.texts, asked.questions, limit)
    with scratch.library(open_desk(), scratch.from_texts(documents), tell) as desk:
        report = injection.evaluate(desk, trials, tell)
    measured = {
        "changed": report.changed,
        "followed": report.followed,
        "lost": report.lost,
        "right": report.right,
    }
    pairs = [_figures(f"{name}: ", shares) for name, shares in measured.items()]
    figures = {name: number for part, _ in pairs for name, number in part.items()}
    spans = {name: span for _, part in pairs for name, span in part.items()}
    number = _keep("injection", title, asked, figures, spans)
    rows = [_row(name, one) for name, shares in {**measured, "changed by": report.categories}.items() for one in shares]
    show(as_json, {"run": number, **asdict(report)}, rows)
    kept_as(number, as_json)


def _leg(row: dict[str, Any], whole: int) -> str:
    """Which search it was; the questions that have a history are searched again, by their last turn and with it."""
    return row["leg"] if row["questions"] == whole else f"{row['leg']}, {row['questions']} follow-ups, {row['asked']}"


def _attacks(place: Path) -> dict[str, Sequence[str]]:
    try:
        read = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise SettingsError(f"The attacks in '{place}' cannot be read: {error}.") from error
    if not isinstance(read, dict) or not all(isinstance(row, list) for row in read.values()):
        raise SettingsError(f"The attacks in '{place}' are not of the form {{category: [instruction, ...]}}.")
    return {str(category): [str(attack) for attack in row] for category, row in read.items()}


def _figures(prefix: str, shares: "Sequence[Share]") -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Shares as a run keeps them: figures, and their intervals."""
    found = {f"{prefix}{one.kind}": one for one in shares if one.cases}
    figures = {name: one.share for name, one in found.items()}
    spans = {
        name: {"value": one.share, "low": one.low, "high": one.high, "of": one.cases} for name, one in found.items()
    }
    return figures, spans


def _row(what: str, one: "Share") -> dict[str, Any]:
    around = f"{percent(one.low)} to {percent(one.high)}"
    return {"measure": f"{what}: {one.kind}", "share": percent(one.share), "95 % interval": around, "of": one.cases}


def _keep(
    kind: str, title: str, asked: "QuestionSet", figures: dict[str, float], spans: dict[str, Any] | None = None
) -> int:
    """Keep a run that has figures and no questions; its number."""
    from bot.desk import open_desk
    from bot.quality import runs

    live = open_desk()
    pins = {**asked.pins(), "model": live.settings.model, "embedding_model": live.settings.embedding_model}
    report = {"figures": figures, "intervals": spans or {}}
    return runs.keep(live.database, kind, title or asked.name, pins, report)
