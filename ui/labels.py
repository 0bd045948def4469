"""The reviewer's page about manners: how recent questions were understood, what reviewers say instead, and learning
from that."""

import hashlib
from collections.abc import Sequence

import streamlit as st

from bot import manners
from bot.manners import labels, learn, weights
from bot.manners.labels import Judged
from bot.manners.weights import Score
from bot.records import Manner
from ui import session, words
from ui.edge import guarded
from ui.escape import body, label

TITLE = "Labels"
ITEMS_A_PAGE = 10
FILTERS = ("All", "Out of scope", "Upset or urgent", "Corrected")
NOTHING = "No question of this kind yet. Questions from the chat appear here."
ASKED = {
    "scope": ("Is it for this desk?", {"in": "Yes", "out": "No, out of scope"}),
    "sentiment": ("The customer is", {"calm": "Calm", "upset": "Upset"}),
    "urgency": ("It is", {"routine": "Routine", "urgent": "Urgent, or asks for a person"}),
}
NAMES = {"scope": "Out of scope", "sentiment": "Upset", "urgency": "Urgent"}


def draw_page() -> None:
    """The questions, newest first, above them what has been learned so far."""
    st.title(TITLE, anchor=False)
    greeting = "How recent questions were understood. Correct it where it is wrong, then let the bot learn from that."
    st.html(body(greeting, "fd-greeting"))
    desk = session.desk()
    corrected = labels.said(desk.database)
    draw_learned(weights.in_use(desk.database, desk.embedding_model), len(corrected))
    chosen = st.segmented_control(
        "Show", FILTERS, default="All", required=True, key="labels-filter", label_visibility="collapsed"
    )
    items = [item for item in labels.recent(desk.database) if _belongs(item, chosen or "All")]
    if not items:
        st.info(NOTHING, icon=":material/inbox:")
    shown = st.session_state.get("labels-shown", ITEMS_A_PAGE)
    for item in items[:shown]:
        with st.container(border=True):
            draw_item(item)
    if len(items) > shown and st.button(f"Show more ({len(items) - shown})", key="more-labels"):
        st.session_state["labels-shown"] = shown + ITEMS_A_PAGE
        st.rerun()


def draw_learned(known: weights.Weights | None, count: int) -> None:
    """How well manners are told, measured on texts held out, and the button that learns them anew."""
    if known is None:
        text = "With this embedding model nothing has been learned yet, so no question is refused. Learn it now."
        st.warning(text, icon=":material/school:")
    else:
        taught = words.count(known.labels, "corrected question")
        st.caption(f"In use: learned from the shipped questions and {taught}. {count} corrected by now.")
    lesson: learn.Lesson | None = st.session_state.get("lesson")
    if lesson:
        draw_scores(lesson.learned.scores, lesson.before if lesson.learned.labels else ())
    elif known:
        draw_scores(known.scores)
    if st.button("Learn from these", key="learn-labels", type="primary", icon=":material/school:"):
        with guarded():
            reviewer = session.require_member()
            with st.spinner("Learning, and checking on questions held out…"):
                st.session_state["lesson"] = learn.relearn(session.desk(), reviewer)
            st.rerun()


def draw_scores(scores: Sequence[Score], before: Sequence[Score] = ()) -> None:
    """One figure for each of the three; beneath, its change against learning without the corrections."""
    for number, (column, score) in enumerate(zip(st.columns(len(scores)), scores, strict=True)):
        points = round(100 * (score.recall - before[number].recall), 1) if before else None
        column.metric(
            f"{NAMES[score.kind]}, noticed",
            f"{score.recall:.0%}",
            None if points is None else f"{points:+.1f} points",
            delta_color="normal" if points else "off",
            help=f"Share of {score.texts:,} questions held out from learning; the change is against learning without "
            "the corrections.",
        )
        wrongly = f"wrongly: {score.false_alarms:.1%} of the others"
        column.caption(f"{wrongly}, before {before[number].false_alarms:.1%}" if before else wrongly)


def draw_item(item: Judged) -> None:
    """A question, what was thought of it, and what a reviewer says."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(body(item.text, "fd-title"), width="content")
        if item.said:
            st.badge("Corrected", color="green")
    st.caption(label(_thought(item.manner)))
    key = hashlib.sha256(item.text.encode()).hexdigest()[:12]
    with st.form(f"label-{key}", border=False):
        chosen = {}
        for column, (kind, (question, answers)) in zip(st.columns(len(ASKED)), ASKED.items(), strict=True):
            values = list(answers)
            chosen[kind] = column.selectbox(
                question,
                values,
                index=values.index(item.said.get(kind) or _guess(kind, item.manner)),
                format_func=answers.__getitem__,
                key=f"{kind}-{key}",
            )
        saved = st.form_submit_button("Save", key=f"save-{key}", icon=":material/check:")
    with guarded():
        if saved:
            labels.put(session.desk().database, item.text, chosen, session.require_member())
            st.rerun()
        if item.said and st.button("Undo", key=f"undo-{key}", icon=":material/undo:"):
            session.require_member()
            labels.forget(session.desk().database, item.text)
            st.rerun()


def _belongs(item: Judged, chosen: str) -> bool:
    manner = item.manner or manners.UNNOTICED
    return {
        "All": True,
        "Out of scope": manners.declines(manner),
        "Upset or urgent": manners.wants_person(manner),
        "Corrected": bool(item.said),
    }[chosen]


def _thought(manner: Manner | None) -> str:
    if manner is None:
        return "Nothing was thought of it."
    return f"Thought: out of scope {manner.out_of_scope:.0%}, upset {manner.upset:.0%}, urgent {manner.urgent:.0%}"


def _guess(kind: str, manner: Manner | None) -> str:
    usual, noticed = labels.VALUES[kind]
    if manner is None:
        return usual
    likelihood = {"scope": manner.out_of_scope, "sentiment": manner.upset, "urgency": manner.urgent}[kind]
    return noticed if likelihood >= manners.BARS[kind] else usual
