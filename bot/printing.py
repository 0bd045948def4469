"""How the commands show things: tables and text for people, JSON for scripts (the shapes are in DESIGN.md)."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bot import sentences
from bot.records import Adapter, Answer, Feedback, Passage, Sentence
from bot.serving.weights import Weights

if TYPE_CHECKING:  # they bring LangChain along, which `--help` must not wait for
    from bot.adapters import Release
    from bot.forgetting import Forgotten
    from bot.manners.learn import Lesson
    from bot.prompts import Prompt, Version
    from bot.quality.manners import Noticed
    from bot.replay import Replay

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
    """One sentence of an answer, as soon as it is there; the words that answer are bold on a terminal."""
    text = Text(said.text)
    text.stylize("bold", *sentences.span(said.key, said.text))
    console.print(text)


def answer(given: Answer, as_json: bool) -> None:
    """What stands below the sentences; or the whole answer as JSON."""
    if as_json:
        _json(_answer(given))
        return
    if given.abstained:
        console.print(given.text, markup=False)
    _citations(given)
    console.print(f"answer {given.answer_id}", style="dim")


def replay(made: "Replay", as_json: bool) -> None:
    """Whether an answer was made again, word for word, and what has changed since."""
    if as_json:
        _json(_replay(made))
        return
    console.print(f"[bold]Then[/]: {escape(made.then.text)}")
    _citations(made.then)
    console.print(_verdict(made), markup=False)
    for sentence in made.changes:
        console.print(f"- {sentence}", markup=False)
    if not made.changes:
        console.print("Nothing that it was made from has changed since.")
    if made.same_now:
        console.print("The answer would be the same now.")
    else:
        console.print(f"[bold]Now[/]: {escape(made.now.text)}")
        _citations(made.now)


def passages(found: Sequence[Passage], as_json: bool) -> None:
    """Search results, best first."""
    names = ("chunk_id", "document", "title", "page", "score", "text")
    rows = [{name: getattr(passage, name) for name in names} for passage in found]
    _rows(as_json, "passages", rows, names[1:])


def feedback(queue: Sequence[Feedback], as_json: bool) -> None:
    """The review queue."""
    names = ("feedback_id", "state", "rating", "reason", "question", "answer", "rewrite", "note")
    rows = [{name: getattr(row, name) for name in (*names, "answer_id")} for row in queue]
    _rows(as_json, "feedback", rows, names)


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


def tried(version: Adapter, share: float) -> None:
    """Who is tried with some conversations from now on."""
    console.print(f"From the next question on {version.name} speaks in {share:.0%} of the conversations.")


def history(steps: Sequence["Release"], as_json: bool) -> None:
    """What was done with the versions."""
    rows = [{**asdict(step), "created_at": step.created_at.isoformat("T", "seconds")} for step in steps]
    _rows(as_json, "history", rows, ("created_at", "adapter", "step", "reason", "author"))


def forgotten(gone: "Forgotten", as_json: bool) -> None:
    """What was erased."""
    if as_json:
        _json(asdict(gone))
        return
    counts = {name: value for name, value in asdict(gone).items() if isinstance(value, int)}
    console.print("Erased: " + ", ".join(f"{number} {name}" for name, number in counts.items()) + ".")
    for name in gone.adapters:
        console.print(f"{name} has learned from it and is to be trained again.")


def models(known: Sequence[Weights], as_json: bool) -> None:
    """The models and where they are."""
    rows = [{**weights._asdict(), "path": str(weights.path)} for weights in known]
    _rows(as_json, "models", rows, Weights._fields)


def lesson(learned: "Lesson", as_json: bool) -> None:
    """How well each of the three is told, without the staff's labels and with them."""
    rows = [
        {
            "kind": before.kind,
            "recall_before": before.recall,
            "recall": after.recall,
            "wrongly_before": before.false_alarms,
            "wrongly": after.false_alarms,
            "precision": after.precision,
            "texts": after.texts,
        }
        for before, after in zip(learned.before, learned.learned.scores, strict=True)
    ]
    _rows(as_json, "scores", rows, tuple(rows[0]))


def noticed(found: "Noticed", as_json: bool) -> None:
    """What the classifiers noticed in a set of questions."""
    _rows(as_json, "noticed", [asdict(found)], ("questions", "declined", "offered_person"))


def prompts(known: Sequence["Prompt"], as_json: bool) -> None:
    """Every prompt with the version in use."""
    names = ("name", "version", "purpose", "fields")
    rows = [{name: getattr(prompt, name) for name in names} for prompt in known]
    _rows(as_json, "prompts", rows, ("version", "purpose"))


def prompt(shown: "Prompt", versions: Sequence["Version"], as_json: bool) -> None:
    """One text of a prompt, and the versions that there are."""
    rows = [
        {
            "version": version.prompt.version,
            "in_use": version.in_use,
            "author": version.author or "shipped",
            "created_at": version.created_at.isoformat("T", "seconds"),
            "note": version.note,
        }
        for version in versions
    ]
    if as_json:
        _json({"version": shown.version, "content": shown.content, "versions": rows})
        return
    console.print(shown.content, markup=False)
    _rows(False, "versions", rows, ("version", "in_use", "author", "created_at", "note"))


def asks(used: "Prompt") -> None:
    """Which text is in use from now on."""
    console.print(f"From the next question on {used.version} is in use.", markup=False)


def _verdict(made: "Replay") -> str:
    if made.identical is None:
        return made.why_not
    return str(made.difference) if made.difference else "Identical, token for token."


def _replay(made: "Replay") -> dict[str, Any]:
    return {
        "answer_id": made.then.answer_id,
        "identical": made.identical,
        "verdict": _verdict(made),
        "difference": asdict(made.difference) if made.difference else None,
        "changes": made.changes,
        "documents": [
            {**asdict(one), "since": one.since.isoformat("T", "seconds") if one.since else None}
            for one in made.documents
        ],
        "same_now": made.same_now,
        "then": _answer(made.then),
        "now": _answer(made.now),
        "said": {"then": made.then.said, "again": made.again},
    }


def _citations(given: Answer) -> None:
    for citation in given.citations:
        place = ", ".join([citation.title, *([f"page {citation.page}"] if citation.page else [])])
        console.print(f"  [{citation.n}] {place}: “{citation.quote}”", markup=False)


def _answer(given: Answer) -> dict[str, Any]:
    return {
        "answer": given.text,
        "keys": given.keys,
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
