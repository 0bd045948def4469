"""How well the bot answers: a kept evaluation with its intervals and mistakes, the trend, and two runs side by side."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from bot.quality import comparison, mistakes, report, runs
from bot.quality.comparison import Change, Comparison
from bot.quality.measures import MEASURES
from bot.quality.mistakes import Mistake
from bot.quality.outcomes import Outcome
from bot.quality.runs import Run
from ui import session, words
from ui.edge import guarded
from ui.escape import answer_body, body, label

TITLE = "Quality"
CHANGED_SHOWN = 10
GREEN, GREY = "#0f766e", "#94a3b8"
ROW_PIXELS, AXIS_PIXELS = 28, 40
NAMES = alt.Axis(labelLimit=260, labelOverlap=False)
EMPTY = (
    "Nothing has been measured yet. `frontdesk eval answers` asks the sample company's questions, measures the answers "
    "and keeps the run; with `--docs` and `--qa` it takes a question set of yours."
)


def draw_page() -> None:
    """One run, then the runs over the same questions, then two of them side by side."""
    st.title(TITLE, anchor=False)
    database = session.desk().database
    kept = runs.listing(database)
    if not kept:
        st.info(EMPTY, icon=":material/analytics:")
        return
    st.html(body("How well questions are answered, measured on questions with known answers.", "fd-greeting"))
    chosen = _choose("Run", "quality-run", kept)
    run = runs.find(database, chosen.number)
    draw_run(run)
    same = runs.alike(run, kept)
    draw_trend(same)
    others = [one for one in kept if one.kind == run.kind and one.number != run.number]
    if others:
        draw_choice(run, others)


def draw_run(run: Run) -> None:
    """What was measured, on what, and how sure it is."""
    st.html(body(_facts(run), "fd-quiet"))
    outcomes = comparison.of(run)
    if not outcomes:
        draw_figures(report.plain_figures(run))
        return
    draw_headlines(run)
    draw_measures(run)
    draw_mistakes(mistakes.count(outcomes), len(outcomes))


def draw_figures(figures: Sequence[tuple[str, str, str]]) -> None:
    """Name, value and interval of the figures of a run that keeps no questions."""
    rows = [{"Figure": label(name), "Value": number, "95 % interval": around} for name, number, around in figures]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)


def draw_headlines(run: Run) -> None:
    """The four figures that say most."""
    found = report.intervals_of(run, "intervals")
    with st.container(key="quality-figures"):
        columns = st.columns(len(report.HEADLINES))
    for column, name in zip(columns, report.HEADLINES, strict=True):
        one = found.get(name)
        shown = report.value(name, one.value) if one and one.measured else "–"
        span = f" · 95 % interval {report.span(name, one)}" if one else ""
        column.metric(MEASURES[name].title, shown, help=f"{MEASURES[name].meaning}{span}", border=True)


def draw_measures(run: Run) -> None:
    """Every share as a point between the ends of its interval."""
    both = {**report.intervals_of(run, "intervals"), **report.intervals_of(run, "consistency")}
    titles = {name: measure.title for name, measure in MEASURES.items()} | report.CONSISTENCY
    rows = [
        {
            "Measure": titles[name],
            "Share": one.value,
            "Low": one.low,
            "High": one.high,
            "Value": report.value(name, one.value),
            "95 % interval": report.span(name, one),
            "Of": f"{one.of:,.0f}",
        }
        for name, one in both.items()
        if one.measured and name in titles and name not in report.COUNTED
    ]
    st.subheader("Measures", anchor=False)
    st.caption("The line is the 95 % interval: another draw of questions would most likely give a figure on it.")
    table = pd.DataFrame(rows)
    base = alt.Chart(table, height=ROW_PIXELS * len(rows) + AXIS_PIXELS).encode(
        y=alt.Y("Measure:N", sort=None, title=None, axis=NAMES),
        tooltip=["Measure", "Value", "95 % interval", "Of"],
    )
    share = alt.Axis(format="%", tickCount=5)
    lines = base.mark_rule(color=GREY, strokeWidth=3).encode(
        x=alt.X("Low:Q", title=None, axis=share, scale=alt.Scale(domain=[0, 1])), x2="High:Q"
    )
    points = base.mark_point(color=GREEN, filled=True, size=90, opacity=1).encode(x="Share:Q")
    st.altair_chart(lines + points, key="quality-measures")
    for name, one in report.intervals_of(run, "risk").items():
        text = f"Area under the risk-coverage curve, {report.RISK[name].lower()}"
        st.html(body(f"{text}: {report.value('', one.value)} ({report.span('', one)})", "fd-quiet"))
    with st.expander("As a table", key="quality-table"):
        st.table(table.drop(columns=["Share", "Low", "High"]), border="horizontal", hide_index=True)


def draw_mistakes(made: Sequence[Mistake], asked: int) -> None:
    """Each kind of mistake as a bar, and the questions that show it."""
    st.subheader("Mistakes", anchor=False)
    found = [mistake for mistake in made if mistake.count]
    if not found:
        st.info("No mistake was found in this run.", icon=":material/check_circle:")
        return
    st.caption(f"Of {words.count(asked, 'question')}. One answer can show several kinds.")
    rows = [
        {
            "Kind": mistakes.KINDS[one.kind].title,
            "Questions": one.count,
            "Share": report.value("", one.share.value),
            "95 % interval": report.span("", one.share),
        }
        for one in found
    ]
    bars = alt.Chart(pd.DataFrame(rows), height=ROW_PIXELS * len(rows) + AXIS_PIXELS).mark_bar(
        color=GREEN, cornerRadiusEnd=3
    )
    st.altair_chart(
        bars.encode(
            x=alt.X("Questions:Q", title=None, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("Kind:N", sort=None, title=None, axis=NAMES),
            tooltip=["Kind", "Questions", "Share", "95 % interval"],
        ),
        key="quality-mistakes",
    )
    for one in found:
        kind = mistakes.KINDS[one.kind]
        with st.expander(f"{kind.title} · {words.count(one.count, 'question')}", key=f"mistake-{one.kind}"):
            st.caption(kind.meaning)
            for example in one.examples:
                draw_example(example)


def draw_example(one: Outcome) -> None:
    """A question, what was said, and what would have been right."""
    with st.container(gap="xsmall"):
        st.html(body(one.question, "fd-title"))
        st.html(answer_body(one.text))
        remarks = [f"right: {one.gold}"] * bool(one.gold)
        remarks += [f"cited: {', '.join(one.cited)}"] * bool(one.cited)
        remarks += [f"held back: {' / '.join(one.dropped)}"] * bool(one.dropped)
        remarks += [f"misspelt: {', '.join(one.misspelt)}"] * bool(one.misspelt)
        remarks += [f"said twice: {one.repeated}"] * bool(one.repeated)
        if remarks:
            st.html(body(" · ".join(remarks), "fd-quiet"))


def draw_trend(same: Sequence[Run]) -> None:
    """The headline figures and the mistakes of every run over the same questions."""
    st.subheader("Trend", anchor=False)
    if len(same) < 2:
        st.caption("One run so far over these questions. Each further one, with another version, adds a point here.")
        return
    measured, made = st.tabs(["Measures", "Mistakes"])
    with measured:
        headlines = [name for name in report.HEADLINES if any(name in run.figures for run in same)]
        lines = {
            MEASURES[name].title if name in MEASURES else name.replace("_", " "): [
                report.measured(run, name) for run in same
            ]
            for name in headlines or list(same[-1].figures)[:4]
        }
        _draw_lines(same, lines, "quality-trend")
    with made:
        kinds = {kind.title: [report.mistake_share(run, name) for run in same] for name, kind in mistakes.KINDS.items()}
        _draw_lines(same, {title: shares for title, shares in kinds.items() if any(shares)}, "mistakes-trend")
    rows = [{"Run": label(run.name), "When": words.ago(run.created_at), "Version": label(_voice(run))} for run in same]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)


def draw_choice(run: Run, others: Sequence[Run]) -> None:
    """Choose another run of the same kind to lay beside this one."""
    st.subheader("Compare", anchor=False)
    other = _choose(f"Beside run {run.number}", "quality-other", others)
    before, after = sorted((run.number, other.number))
    with guarded():
        database = session.desk().database
        draw_comparison(comparison.compare(runs.find(database, before), runs.find(database, after)))


def draw_comparison(compared: Comparison) -> None:
    """What changed from the earlier run to the later one, and in which questions."""
    before, after = compared.before, compared.after
    st.html(body(f"From run {before.number} ({_voice(before)}) to run {after.number} ({_voice(after)}).", "fd-quiet"))
    changes = [*compared.measures, *(one for one in compared.mistakes if one.before or one.after)]
    st.table(pd.DataFrame([_change(one) for one in changes]), border="horizontal", hide_index=True)
    if not compared.questions:
        return
    st.caption(
        f"{len(compared.changed)} of {words.count(compared.questions, 'question')} answered otherwise. "
        "A verdict is given only where the 95 % interval of the difference does not hold 0."
    )
    for number, (old, new) in enumerate(compared.changed[:CHANGED_SHOWN]):
        with st.expander(label(old.question), key=f"changed-{number}"):
            for column, run, one in zip(st.columns(2), (before, after), (old, new), strict=True):
                column.caption(f"Run {run.number} · F1 {one.f1:.2f}")
                column.html(answer_body(one.text))
            if new.gold:
                st.html(body(f"right: {new.gold}", "fd-quiet"))


def _choose(question: str, key: str, among: Sequence[Run]) -> Run:
    names = {run.number: f"{run.name} · {run.kind} · {words.ago(run.created_at)}" for run in among}
    number = st.selectbox(question, list(names), format_func=lambda one: names[one], key=key)
    return next((run for run in among if run.number == number), among[0])


def _draw_lines(same: Sequence[Run], lines: Mapping[str, Sequence[float | None]], key: str) -> None:
    rows = [
        {"Run": run.number, "Measure": title, "Share": number, "Title": run.title, "Version": _voice(run)}
        for title, numbers in lines.items()
        for run, number in zip(same, numbers, strict=True)
        if number is not None
    ]
    if not rows:
        st.caption("Nothing to draw.")
        return
    chart = alt.Chart(pd.DataFrame(rows), height=340).mark_line(point=True)
    st.altair_chart(
        chart.encode(
            x=alt.X("Run:O", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("Share:Q", title=None, axis=alt.Axis(format="%")),
            color=alt.Color("Measure:N", sort=None, legend=alt.Legend(title=None, orient="bottom", labelLimit=260)),
            tooltip=["Run", "Title", "Version", "Measure", alt.Tooltip("Share:Q", format=".1%")],
        ),
        key=key,
    )


def _change(one: Change) -> dict[str, str]:
    plain = one.difference is None
    return {
        "Measure": label(one.title),
        "Before": f"{one.before:,.4g}" if plain else report.value(one.name, one.before),
        "After": f"{one.after:,.4g}" if plain else report.value(one.name, one.after),
        "Difference": label(report.difference(one)),
        "Verdict": one.verdict,
    }


def _facts(run: Run) -> str:
    facts = [f"{run.pins[name]} {title}" for name, title in (("questions", "questions"),) if name in run.pins]
    facts += [str(run.pins["set"])] if run.pins.get("set") else []
    facts += [_voice(run)]
    facts += [f"threshold {run.pins['threshold']:g}"] if isinstance(run.pins.get("threshold"), int | float) else []
    return " · ".join([*facts, f"version {run.pins.get('version', 'unknown')}", words.ago(run.created_at)])


def _voice(run: Run) -> str:
    return report.voice(run.pins) or "unknown version"
