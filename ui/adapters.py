"""The operator's page: the versions of the bot's style, what the checks said of each, and which one speaks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from bot import adapters, jobs, training, voices, watch
from bot.records import Adapter, Job
from bot.training import Outlook
from bot.watch import Comparison
from ui import release, session, words
from ui.edge import guarded
from ui.escape import body, label, sentence

TITLE = "Adapters"
REFRESH_SECONDS = 2
SAMPLES_SHOWN = 3
ORDER = {"canary": 0, "active": 1}
AXES = {"style": "Style", "facts": "Facts", "rest": "The rest"}
STATES = {
    "active": ("Speaking now", "green", ":material/record_voice_over:"),
    "canary": ("Tried with some", "orange", ":material/science:"),
    "candidate": ("Ready to promote", "blue", ":material/hourglass_empty:"),
    "rejected": ("Did not pass", "red", ":material/block:"),
    "retired": ("Retired", "gray", ":material/history:"),
}


def draw_page() -> None:
    """The training, then the versions: the one that speaks first."""
    st.title(TITLE, anchor=False)
    greeting = "How the bot speaks. Each version learned its tone from approved answers; facts come from the documents."
    st.html(body(greeting, "fd-greeting"))
    database = session.desk().database
    job = jobs.latest(database, "train")
    busy = job is not None and job.state in jobs.UNDER_WAY
    st.fragment(run_every=REFRESH_SECONDS if busy else None)(draw_training)(busy)

    versions = sorted(adapters.listing(database), key=lambda version: ORDER.get(version.state, len(ORDER)))
    speaking = next((version for version in versions if version.state == "active"), None)
    if speaking is None:
        st.info("The base model speaks. A style version takes over once it is trained and promoted.")
    for version in versions:
        with st.container(border=True, key=f"adapter-{version.name}"):
            draw_version(version, _live(version), opened=version == (speaking or versions[0]))
    release.draw_folders(voices.pinned(database), versions)
    release.draw_history(adapters.history(database))
    _draw_asked(speaking)


def draw_training(was_busy: bool) -> None:
    """The latest training run, live, and the way to start one."""
    with guarded(), st.container(border=True, key="training"):
        session.require_member()
        desk = session.desk()
        job = jobs.latest(desk.database, "train")
        busy = job is not None and job.state in jobs.UNDER_WAY
        if was_busy and not busy:
            st.rerun()
        draw_outlook(training.outlook(desk.settings, desk.database))
        kept = training.goes_on_from(desk.settings, desk.database)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Go on" if kept else "Train now", key="train-now", icon=":material/school:", disabled=busy):
                session.require_member()
                training.request(desk.settings, desk.database)
                st.rerun()
            release.draw_settings()
        if job is not None and busy:
            draw_under_way(job)
        elif job is not None and job.error:
            draw_end(job, kept)


def draw_outlook(outlook: Outlook) -> None:
    """How many rows wait, when the next run is due, and why not now."""
    of = "" if outlook.new >= outlook.needed else f" of {outlook.needed}"
    st.html(body(f"{outlook.new}{of} new approved rows", "fd-title"))
    st.html(body(outlook.reason, "fd-quiet"))


def draw_under_way(job: Job) -> None:
    """How far a training run has come, the way to stop it, and what it has learned until now."""
    step, steps = job.progress.get("step", 0), job.progress.get("steps", 0)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(min(1.0, step / steps) if steps else 0.0, text=_how_far(job))
        if st.button("Stop", key="stop-training", icon=":material/stop:"):
            training.stop(session.desk().database, session.reviewer())
            st.rerun()
    if "curve" in job.progress:
        draw_curve(job.progress["curve"])
    draw_tries(job.progress.get("samples", []))


def draw_end(job: Job, kept: int | None) -> None:
    """Why the last run made no version. `kept` is the step from which training goes on."""
    if job.state == "stopped":
        then = f" Training again goes on from step {kept}." if kept else ""
        st.info(sentence(f"{job.error}{then}"), icon=":material/stop_circle:")
    else:
        st.error(sentence(f"The last training did not end well: {job.error}"), icon=":material/error:")


def draw_tries(samples: Sequence[dict[str, Any]]) -> None:
    """How the version in the making answers one question that it does not learn from, the last time first."""
    if not samples:
        return
    st.caption("How it answers a question that it does not learn from, as it learns.")
    st.html(body(str(samples[-1].get("question", "")), "fd-title"))
    for sample in reversed(samples[-SAMPLES_SHOWN:]):
        st.caption(f"After step {sample.get('step', 0)}")
        st.html(body(str(sample.get("answer", "")), "fd-text fd-passage"))


def draw_version(version: Adapter, live: Sequence[Comparison], *, opened: bool) -> None:
    """One version: its state, what it was made of, how it did, and how it does with customers."""
    word, colour, icon = STATES[version.state]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(label(version.name), anchor=False, width="content")
        with st.container(horizontal=True, gap="xsmall", width="content"):
            if version.stale:
                st.badge("To be trained again", icon=":material/delete_history:", color="red")
            st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]  # one of the colours above
    st.html(body(_facts(version), "fd-quiet"))
    if version.stale:
        st.warning(sentence(version.stale), icon=":material/delete_history:")
    release.draw_live(live, trial=version.state == "canary")
    with st.expander("How it learned and what the checks say", expanded=opened, key=f"details-{version.name}"):
        draw_report(version.report)
        draw_curve(version.curve)
    draw_samples(version)
    release.draw_lineage(version)
    draw_actions(version)


def draw_actions(version: Adapter) -> None:
    """What can be done with a version in its state."""
    name, database = version.name, session.desk().database
    may_speak = not version.stale and version.state in ("candidate", "retired", "canary")
    with st.container(horizontal=True, gap="small"), guarded():
        if version.state == "active" and st.button("Roll back", key="roll-back", icon=":material/undo:"):
            _ask("roll-back", name)
        if may_speak and st.button("Promote", key=f"promote-{name}", icon=":material/publish:"):
            _ask("promote", name)
        share = voices.share(database)
        tryable = may_speak and version.state != "canary" and share
        if tryable and st.button(f"Try with {share:.0%}", key=f"try-{name}", icon=":material/science:"):
            adapters.start_canary(database, name, session.require_member())
            st.rerun()
        if version.state == "canary" and st.button("End the trial", key=f"end-{name}", icon=":material/undo:"):
            adapters.end_canary(database, session.require_member(), name=name)
            st.rerun()


def draw_curve(curve: list[dict[str, float]]) -> None:
    """The loss of training and on held-out rows, by step."""
    table = pd.DataFrame(curve)
    named = {"loss": "training", "held_out": "held out"}
    columns = [column for column in named if column in table]
    if "step" not in table or not columns:
        st.caption("No training curve was recorded.")
        return
    lines = table.groupby("step")[columns].last().interpolate(limit_area="inside").rename(columns=named)
    st.caption("Loss by training step: lower is better; held-out rows were not learned from.")
    st.line_chart(lines, height=240, alt="Loss by training step")


def draw_report(report: dict[str, Any]) -> None:
    """What the gate measured before and after, by axis, each difference with its 95 % interval."""
    checks = report.get("checks") or []
    if not checks:
        st.caption("No check report was recorded.")
        return
    rows = [
        {
            "Axis": AXES.get(str(check.get("axis", "")), ""),
            "Check": label(str(check.get("name", "")).replace("_", " ")),
            "Before": _number(check.get("before")),
            "After": _number(check.get("after")),
            "Difference": _between(check.get("low"), check.get("high")),
            "Better is": str(check.get("better", "")),
            "Verdict": "passed" if check.get("passed") else "not passed",
        }
        for check in checks
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)


def draw_samples(version: Adapter) -> None:
    """The same questions before and after."""
    samples = version.report.get("samples") or []
    if not samples:
        return
    with st.expander(f"How it sounds · {words.count(len(samples), 'example')}", key=f"samples-{version.name}"):
        for sample in samples:
            st.html(body(str(sample.get("question", "")), "fd-title"))
            before, after = st.columns(2)
            for column, name in ((before, "before"), (after, "after")):
                column.caption(name.capitalize())
                column.html(body(str(sample.get(name, "")), "fd-text fd-passage"))


def _close() -> None:
    st.session_state.pop("asked", None)


@st.dialog("Change who speaks?", on_dismiss=_close)
def draw_promotion(name: str) -> None:
    """The question before a version speaks to customers."""
    st.html(body(f"{name} answers every customer from the next question on. You can roll back at any time.", "fd-text"))
    if st.button("Promote", key="confirm-promote", type="primary"):
        with guarded():
            adapters.activate(session.desk().database, name, session.require_member())
            _close()
            st.rerun()


@st.dialog("Roll back?", on_dismiss=_close)
def draw_roll_back(name: str, parent: str | None) -> None:
    """The question before the version before speaks again."""
    text = f"{name} stops speaking, and {parent or 'the base model'} answers from the next question on."
    st.html(body(text, "fd-text"))
    if st.button("Roll back", key="confirm-roll-back", type="primary"):
        with guarded():
            adapters.roll_back(session.desk().database, session.require_member(), name=name)
            _close()
            st.rerun()


def _ask(what: str, name: str) -> None:
    st.session_state["asked"] = (what, name)
    st.rerun()


def _draw_asked(speaking: Adapter | None) -> None:
    what, name = st.session_state.get("asked", ("", ""))
    if what == "promote":
        draw_promotion(name)
    elif what == "roll-back" and speaking:
        previous = adapters.before(session.desk().database, speaking)
        draw_roll_back(speaking.name, previous.name if previous else None)


def _how_far(job: Job) -> str:
    if job.state == "queued":
        return "Waiting for the trainer…"
    progress = job.progress
    loss, steps, begun = progress.get("loss"), progress.get("steps"), progress.get("from")
    parts = [
        label(str(progress.get("stage", "starting")).capitalize()),
        f"step {progress.get('step', 0)} of {steps}" if steps else "",
        f"loss {loss:.2f}" if isinstance(loss, int | float) else "",
        f"it went on from step {begun}" if begun else "",
    ]
    return " · ".join(part for part in parts if part) + ("" if steps else "…")


def _live(version: Adapter) -> Sequence[Comparison]:
    database = session.desk().database
    if version.state == "canary":
        return watch.of_canary(database, version)
    return watch.of_active(database, version) if version.state == "active" else ()


def _facts(version: Adapter) -> str:
    meta = version.meta
    facts = [f"made {words.ago(version.created_at)}"]
    if "rows" in meta:
        facts.append(f"learned from {words.count(meta['rows']['train'], 'row')}")
    if "seconds" in meta:
        facts.append(f"in {words.duration(1_000 * float(meta['seconds']))}")
    shown = [name for name in ("epochs", "rank", "learning_rate") if meta.get(name)]  # a soft prompt has no rank
    facts += [f"{name.replace('_', ' ')} {meta[name]}" for name in shown]
    return " · ".join(facts)


def _between(low: object, high: object) -> str:
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    return f"{low:+.3g} to {high:+.3g}"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "–"
