"""How the commands show things: tables and text for people, JSON for scripts (the shapes are in DESIGN.md)."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.records import Adapter, Answer, Feedback, Passage, Sentence
from bot.serving.weights import Weights

LONGEST_CELL = 80
CITED = ("n", "document", "title", "page", "heading", "quote")

console = Console(highlight=False, soft_wrap=True)


def failure(sentence: str) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    print(sentence, file=sys.stderr)
    return 1


def tell(sentence: str) -> None:
    """Say on standard error how a long command gets on."""
    print(sentence, file=sys.stderr)


def sentence(said: Sentence) -> None:
    """One sentence of an answer, as soon as it is there."""
    console.print(said.text, markup=False)


def answer(given: Answer, as_json: bool) -> None:
    """What stands below the sentences; or the whole answer as JSON."""
    if as_json:
        _json(_answer(given))
        return
    if given.abstained:
        console.print(given.text, markup=False)
    _citations(given)
    console.print(f"answer {given.answer_id}", style="dim")


def pinned(when: str, given: Answer) -> None:
    """An answer with everything that it was made from."""
    console.print(f"[bold]{when}[/]: {escape(given.text)}")
    _citations(given)
    pins = {"model": given.model, "adapter": given.adapter or "none", "prompt": given.prompt, **given.parameters}
    console.print("  " + ", ".join(f"{name} {value}" for name, value in pins.items()), style="dim", markup=False)
    for passage in given.passages:
        console.print(f"  {passage.document} version {passage.version_id} chunk {passage.chunk_id}", markup=False)


def passages(found: Sequence[Passage], as_json: bool) -> None:
    """Search results, best first."""
    names = ("chunk_id", "document", "title", "page", "score", "text")
    rows = [{name: getattr(passage, name) for name in names} for passage in found]
    _rows(as_json, "passages", rows, names[1:])


def feedback(queue: Sequence[Feedback], as_json: bool) -> None:
    """The review queue."""
    names = ("feedback_id", "state", "rating", "reason", "question", "answer", "rewrite", "note")
    _rows(as_json, "feedback", [{name: getattr(row, name) for name in names} for row in queue], names)


def adapters(versions: Sequence[Adapter], as_json: bool) -> None:
    """Every version of the style."""
    names = ("name", "state", "parent", "base", "path")
    rows = [
        {**{name: getattr(version, name) for name in names}, "created_at": version.created_at.isoformat("T", "seconds")}
        for version in versions
    ]
    _rows(as_json, "adapters", rows, ("name", "state", "parent", "base", "created_at"))


def adapter(version: Adapter) -> None:
    """One version, as JSON, because it is a tree."""
    print(json.dumps(asdict(version), indent=2, ensure_ascii=False, default=str))


def speaks(version: Adapter | None) -> None:
    """Who answers customers from now on."""
    console.print(f"From the next question on {version.name if version else 'the base model'} speaks.")


def models(known: Sequence[Weights], as_json: bool) -> None:
    """The models and where they are."""
    rows = [{**weights._asdict(), "path": str(weights.path)} for weights in known]
    _rows(as_json, "models", rows, Weights._fields)


def _citations(given: Answer) -> None:
    for citation in given.citations:
        place = ", ".join([citation.title, *([f"page {citation.page}"] if citation.page else [])])
        console.print(f"  [{citation.n}] {place}: “{citation.quote}”", markup=False)


def _answer(given: Answer) -> dict[str, Any]:
    return {
        "answer": given.text,
        "abstained": given.abstained,
        "citations": [{name: getattr(citation, name) for name in CITED} for citation in given.citations],
        "answer_id": given.answer_id,
        "model": given.model,
        "adapter": given.adapter,
        "prompt": given.prompt,
        "timings_ms": asdict(given.timings_ms),
    }


def _rows(as_json: bool, what: str, rows: Sequence[dict[str, Any]], columns: Iterable[str]) -> None:
    if as_json:
        _json({what: rows})
        return
    if not rows:
        console.print("Nothing yet.")
        return
    names = list(columns)
    table = Table(*names, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(escape(_cell(row[name])) for name in names))
    console.print(table)


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))
