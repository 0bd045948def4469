"""The review queue as a whole: who reviews, which rows are shown, several decided at once, and the last one undone."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from bot import feedback, ground
from bot.records import Feedback
from ui import deciding, session, words
from ui.edge import guarded
from ui.escape import label

ANY = "Any"
RATINGS = {ANY: None, "Liked": 1, "Not liked": 0}
ME, NOBODY = "Me", "Nobody"


@dataclass(frozen=True)
class Wanted:
    """Which rows are to be shown; empty values take all."""

    rating: int | None
    voice: str
    assignee: str
    words: str

    def takes(self, item: Feedback, me: str) -> bool:
        """Whether a row is among them, for the reviewer `me`."""
        assignee = {ME: me, NOBODY: ""}.get(self.assignee, self.assignee)
        text = f"{item.question} {item.answer} {item.rewrite} {item.comment} {item.reason} {item.tag}".lower()
        return (
            self.rating in (None, item.rating)
            and self.voice in (ANY, item.adapter or "base model")
            and (self.assignee == ANY or item.assignee == assignee)
            and self.words.lower() in text
        )


def draw_filter(items: Sequence[Feedback], names: Sequence[str]) -> Wanted:
    """What to choose the rows by."""
    voices = sorted({item.adapter or "base model" for item in items})
    with st.popover("Filter", icon=":material/filter_list:", key="review-more"):
        rating = st.selectbox("The customer", list(RATINGS), key="filter-rating")
        voice = st.selectbox("Version", [ANY, *voices], key="filter-voice")
        assignee = st.selectbox("Assigned to", [ANY, ME, NOBODY, *names], key="filter-assignee")
        text = st.text_input("Words", key="filter-words", placeholder="In the question, answer or comment")
    return Wanted(RATINGS[rating], voice, assignee, (text or "").strip())


def draw_name() -> None:
    """Under which name this browser reviews: opinions of different names are counted separately."""
    with st.popover(label(session.reviewer()), icon=":material/person:", key="review-name"):
        name = st.text_input(
            "You review as",
            value=session.reviewer(),
            key="reviewer-name",
            max_chars=feedback.LONGEST_NAME,
            help="All staff share one password, so this name is only what you say it is.",
        )
        if st.button("Save", key="save-reviewer-name"):
            session.review_as(name or "")
            st.rerun()


def draw_undo() -> None:
    """What was decided last, and the way back."""
    ids, said = st.session_state.get("review-last", ((), ""))
    if not said:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="review-done"):
        st.caption(f":material/check: {label(said)}", width="content")
        if ids and st.button("Undo", key="undo-last", type="tertiary", icon=":material/undo:", shortcut="Z"):
            with guarded():
                for feedback_id in ids:
                    feedback.undo(session.desk().database, feedback_id, session.reviewer())
                st.session_state.pop("review-last")
                st.rerun()


def draw_batch(items: Sequence[Feedback]) -> None:
    """Decide several rows that wait at once; nothing until one is selected."""
    picked = [item for item in items if st.session_state.get(f"pick-{item.feedback_id}")]
    if not picked:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", border=True, key="batch"):
        st.html(f'<div class="fd-title">{len(picked)} selected</div>', width="content")
        approved = st.button("Approve as they are", key="batch-approve", icon=":material/done_all:")
        rejected = st.button("Reject", key="batch-reject", icon=":material/close:")
        name = st.text_input(
            "Assign to", key="batch-assignee", placeholder="Assign to …", label_visibility="collapsed", width=180
        )
        assigned = st.button("Assign", key="batch-assign", icon=":material/person_add:")
    with guarded():
        database, ids = session.desk().database, [item.feedback_id for item in picked]
        reviewer = session.reviewer()
        if approved:
            _approve(picked)
        if rejected:
            for feedback_id in ids:
                feedback.reject(database, feedback_id, reviewer)
            deciding.done(ids, f"{words.count(len(ids), 'row')} rejected.")
        if assigned:
            feedback.assign(database, ids, name or "")
            st.rerun()


def _approve(picked: Sequence[Feedback]) -> None:
    """Approve those whose evidence says what they say; the others wait on."""
    reviewer, database = session.reviewer(), session.desk().database
    with st.spinner("Checking against the evidence…"):
        fit = [item for item in picked if not ground.unsupported(item.answer, item.evidence)]
    for item in fit:
        feedback.approve(database, item.feedback_id, reviewer, item.answer)
    left = len(picked) - len(fit)
    more = f" {words.count(left, 'row')} left waiting: the passages do not say all of it." if left else ""
    deciding.done([item.feedback_id for item in fit], f"{words.count(len(fit), 'row')} approved.{more}")
