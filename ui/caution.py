"""How sure the bot must be before it answers: one slider from cautious to eager, on the curve that says what each place
of it costs."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from bot import consult, preferences
from bot.desk import Desk
from bot.evidence import confidence
from bot.evidence.calibrated import Point
from ui import session
from ui.edge import guarded
from ui.escape import body

GREEN, GREY = "#0f766e", "#94a3b8"


def draw(desk: Desk) -> None:
    """The slider, what it means, and the curve."""
    st.subheader("How sure before answering", anchor=False)
    points = confidence.curve()  # cautious first
    in_use = nearest(points, consult.threshold(desk))
    usual = nearest(points, confidence.default_threshold())
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        place = st.slider(
            "From cautious to eager",
            0,
            len(points) - 1,
            value=in_use,
            format=" ",
            key="caution",
            help="Cautious: fewer answers, hardly a wrong one. Eager: more answers, more of them beside the point.",
        )
        draw_meaning(points[place])
        with st.container(horizontal=True, gap="small"):
            chosen = st.button("Use this", key="use-caution", type="primary", disabled=place == in_use)
            back = st.button("Back to the usual place", key="usual-caution", type="tertiary", disabled=in_use == usual)
    with right:
        draw_curve(points, points[place])
    with guarded():
        if chosen:
            _set(desk, points[place].threshold)
        if back:
            _set(desk, None)


def draw_meaning(point: Point) -> None:
    """What a place of the slider does, in a sentence."""
    text = (
        f"Of questions that the documents answer, about {point.coverage:.0%} get an answer. "
        f"Of those that they do not answer, {point.risk:.0%} get one all the same."
    )
    st.html(body(text.replace("%", "\u202f%"), "fd-quiet"))


def draw_curve(points: Sequence[Point], chosen: Point) -> None:
    """Risk against coverage, with the chosen place on it."""
    rows = pd.DataFrame(
        [{"risk": point.risk, "coverage": point.coverage, "chosen": point is chosen} for point in points]
    )
    axes = {
        "x": alt.X("risk:Q", title="Answered although the documents do not say", axis=alt.Axis(format="%")),
        "y": alt.Y("coverage:Q", title="Answered where they do", axis=alt.Axis(format="%")),
    }
    line = alt.Chart(rows).mark_line(color=GREY).encode(**axes, order="coverage:Q")
    dot = alt.Chart(rows[rows["chosen"]]).mark_point(color=GREEN, filled=True, size=140, opacity=1).encode(**axes)
    st.altair_chart((line + dot).properties(height=220), width="stretch", key="risk-curve")
    st.caption("Measured on public question sets and the sample company, on documents that were not learned from.")


def nearest(points: Sequence[Point], threshold: float) -> int:
    """The place of the slider that comes nearest to a threshold."""
    return min(range(len(points)), key=lambda place: abs(points[place].threshold - threshold))


def _set(desk: Desk, threshold: float | None) -> None:
    preferences.put(desk.database, preferences.CAUTION, threshold, session.require_member())
    st.session_state.pop("caution", None)
    st.rerun()
