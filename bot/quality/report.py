"""Kept runs as Markdown: the report of one, and the comparison of two. Whatever people or models said is disarmed."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bot.quality import comparison, mistakes
from bot.quality.comparison import Change, Comparison
from bot.quality.intervals import Interval
from bot.quality.measures import MEASURES
from bot.quality.outcomes import Outcome
from bot.quality.runs import Run

HEADLINES = ("f1", "answered", "answered_unanswerable", "passage_precision")  # what says most
COUNTED = ("words",)  # measures that are no shares
CONSISTENCY = {
    "same_decision": "Same decision for paraphrases",
    "same_document": "Same document for paraphrases",
    "alike": "Paraphrases answered alike (F1)",
}
RISK = {"evidence": "By the evidence, as it decides", "similarity": "By similarity alone"}
TIMES = {
    "retrieve_ms": "Search",
    "first_token_ms": "First token",
    "first_sentence_ms": "First sentence",
    "total_ms": "Whole answer",
}
CHANGED_SHOWN = 10
EXAMPLES_SHOWN = 3
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#|!~$&])")


def markdown(run: Run, earlier: Sequence[Run] = ()) -> str:
    """The report of a run; `earlier` are the runs over the same data, the oldest first, this one among them."""
    parts = [
        f"# {_plain(run.name)}",
        f"{run.created_at:%d %B %Y, %H:%M} UTC. {_pins(run)}",
        *_measures(run),
        *_risk(run),
        *_mistakes(run),
        *_consistency(run),
        *_trend(earlier),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_markdown(compared: Comparison) -> str:
    """Two runs side by side."""
    made = [change for change in compared.mistakes if change.before or change.after]
    parts = [
        f"# {_plain(compared.before.name)} and {_plain(compared.after.name)}",
        f"Before: {_pins(compared.before)}\n\nAfter: {_pins(compared.after)}",
        f"Over {compared.questions} questions that both were asked." if compared.questions else "",
        "## Measures",
        _changes(compared.measures),
        *(["## Mistakes", _changes(made)] if made else []),
        *_changed(compared.changed),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def value(name: str, number: float) -> str:
    """A figure as people read it: a share in percent, a count as it is."""
    if name in TIMES or name.endswith("_ms"):
        return f"{number:,.0f} ms"
    return f"{number:.1f}" if name in COUNTED else f"{100 * number:.1f} %"


def span(name: str, interval: Interval) -> str:
    """The 95 % interval of a figure."""
    if not interval.measured:
        return "–"
    return f"{value(name, interval.low)} to {value(name, interval.high)}"


def difference(change: Change) -> str:
    """How much a figure grew, in points, with its interval."""
    if change.difference is None:
        return f"{change.after - change.before:+.4g}"
    scale, unit = (1, "") if change.name in COUNTED else (100, " points")
    one = change.difference
    return f"{scale * one.value:+.1f}{unit} ({scale * one.low:+.1f} to {scale * one.high:+.1f})"


def intervals_of(run: Run, part: str) -> dict[str, Interval]:
    """The intervals that a run keeps of its measures (`intervals`), mistakes or consistency."""
    kept = run.report.get(part) or {}
    return {
        name: Interval(one["value"], one["low"], one["high"], one["of"])
        for name, one in kept.items()
        if isinstance(one, dict)
    }


def measured(run: Run, name: str) -> float | None:
    """A figure of a run, or None where there was nothing to measure."""
    found = intervals_of(run, "intervals").get(name)
    return run.figures.get(name) if found is None or found.measured else None


def mistake_share(run: Run, kind: str) -> float:
    """How many of a run's questions show a kind of mistake, as a share."""
    found = intervals_of(run, "mistakes").get(kind)
    return found.value if found else 0.0


def voice(pins: dict[str, Any]) -> str:
    """Which version answered: model, adapter, prompt."""
    return ", ".join(str(pins[name]) for name in ("model", "adapter", "prompt") if pins.get(name))


def plain_figures(run: Run) -> list[tuple[str, str, str]]:
    """Name, value and 95 % interval of each figure of a run that keeps no questions."""
    found = intervals_of(run, "intervals")
    spans = {name: f"{one.low:,.4g} to {one.high:,.4g}" for name, one in found.items()}
    return [(name.replace("_", " "), f"{value:,.4g}", spans.get(name, "–")) for name, value in run.figures.items()]


def _measures(run: Run) -> list[str]:
    found = intervals_of(run, "intervals")
    if "rows" not in run.report:
        rows = [(_plain(name), number, around) for name, number, around in plain_figures(run)]
        return ["## Figures", _table(("Figure", "Value", "95 % interval"), rows)]
    shown = [
        (
            MEASURES[name].title,
            value(name, one.value) if one.measured else "–",
            span(name, one),
            f"{one.of:,.0f}",
            MEASURES[name].meaning,
        )
        for name, one in found.items()
        if name in MEASURES
    ]
    others = {name: number for name, number in run.figures.items() if name not in found and name not in TIMES}
    times = [f"{title} {value(name, run.figures[name])}" for name, title in TIMES.items() if name in run.figures]
    return [
        "## Measures",
        _table(("Measure", "Value", "95 % interval", "Of", "Meaning"), shown),
        ", ".join(f"{name.replace('_', ' ')} {number:,.4g}" for name, number in others.items()),
        f"Median times of the given answers: {', '.join(times)}." if times else "",
    ]


def _mistakes(run: Run) -> list[str]:
    outcomes = comparison.of(run)
    if not outcomes:
        return []
    found = [mistake for mistake in mistakes.count(outcomes) if mistake.count]
    rows = [
        (
            mistakes.KINDS[one.kind].title,
            str(one.count),
            value("", one.share.value),
            span("", one.share),
            mistakes.KINDS[one.kind].meaning,
        )
        for one in found
    ]
    parts = ["## Mistakes by kind", _table(("Kind", "Count", "Of all questions", "95 % interval", "Meaning"), rows)]
    for one in found:
        shown = "\n".join(_example(example) for example in one.examples[:EXAMPLES_SHOWN])
        parts.append(f"### {mistakes.KINDS[one.kind].title}\n\n{shown}")
    return parts


def _example(one: Outcome) -> str:
    said = _plain(one.text)
    right = f" — right: “{_plain(one.gold)}”" if one.gold else ""
    cited = f" ({_plain(', '.join(one.cited))})" if one.cited else ""
    return f"- “{_plain(one.question)}” — said: “{said}”{cited}{right}{_remarks(one)}"


def _remarks(one: Outcome) -> str:
    remarks = [f"misspelt: {', '.join(one.misspelt)}"] * bool(one.misspelt)
    remarks += [f"repeated: {one.repeated}"] * bool(one.repeated)
    return f" — {_plain('; '.join(remarks))}" if remarks else ""


def _risk(run: Run) -> list[str]:
    found = intervals_of(run, "risk")
    if not found:
        return []
    meaning = "How often an answer would be wrong, over all shares of questions that one might answer: lower is better."
    rows = [(RISK[name], value("", one.value), span("", one)) for name, one in found.items()]
    return ["## Area under the risk-coverage curve", meaning, _table(("Abstaining", "Area", "95 % interval"), rows)]


def _consistency(run: Run) -> list[str]:
    found = run.report.get("consistency")
    if not found:
        return []
    kept = intervals_of(run, "consistency")
    rows = [(CONSISTENCY[name], value("", one.value), span("", one)) for name, one in kept.items()]
    intro = f"{found['questions']} questions in {found['groups']} groups of paraphrases (the same right answer)."
    return ["## Consistency", intro, _table(("Measure", "Value", "95 % interval"), rows)]


def _trend(runs: Sequence[Run]) -> list[str]:
    """Measures and mistakes by run, where there are several over the same data."""
    if len(runs) < 2:
        return []
    voices = [(_plain(run.name), _plain(voice(run.pins))) for run in runs]
    names = [name for name in HEADLINES if name in runs[-1].figures]
    rows = [
        (*who, *("–" if (share := measured(run, name)) is None else value(name, share) for name in names))
        for who, run in zip(voices, runs, strict=True)
    ]
    parts = ["## Trend", _table(("Run", "Version", *(MEASURES[name].title for name in names)), rows)]
    made = [kind for kind in mistakes.KINDS if any(mistake_share(run, kind) for run in runs)]
    if made:
        kinds = [
            (*who, *(value("", mistake_share(run, kind)) for kind in made))
            for who, run in zip(voices, runs, strict=True)
        ]
        parts.append(_table(("Run", "Version", *(mistakes.KINDS[kind].title for kind in made)), kinds))
    return parts


def _changes(changes: Sequence[Change]) -> str:
    rows = [
        (
            _plain(one.title),
            _number(one, one.before),
            _number(one, one.after),
            difference(one),
            one.verdict,
        )
        for one in changes
    ]
    return _table(("Measure", "Before", "After", "Difference (95 % interval)", "Verdict"), rows)


def _number(change: Change, number: float) -> str:
    return f"{number:,.4g}" if change.difference is None else value(change.name, number)


def _changed(changed: Sequence[tuple[Outcome, Outcome]]) -> list[str]:
    if not changed:
        return []
    lines = [
        f"- “{_plain(old.question)}”\n  - before (F1 {old.f1:.2f}): {_plain(old.text)}\n"
        f"  - after (F1 {new.f1:.2f}): {_plain(new.text)}"
        for old, new in changed[:CHANGED_SHOWN]
    ]
    return [f"## {len(changed)} questions answered otherwise", "\n".join(lines)]


def _pins(run: Run) -> str:
    return ", ".join(f"{_plain(name)} `{_code(value)}`" for name, value in run.pins.items() if value not in (None, ""))


def _code(value: object) -> str:
    return " ".join(str(value).replace("`", "'").split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
