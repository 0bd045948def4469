"""How one exchange looks: the question, the answer, its sources, and the customer's opinion of it."""

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bot import conversations, feedback
from bot.citations import Standing
from bot.desk import Desk
from bot.records import Answer, Citation
from ui import handing_over, session, words
from ui.edge import guarded
from ui.escape import answer_body, body, highlighted, label

AVATARS = {"user": ":material/person:", "assistant": ":material/support_agent:"}
BAD, GOOD = 0, 1
REASONS = ("Wrong", "Not helpful", "Too long", "Wrong tone")


def draw_all(
    desk: Desk, customer: str, conversation_id: str, given: list[Answer], standing: Mapping[int, Standing]
) -> None:
    """A whole conversation. `standing` says of each cited version whether its document still says the same."""
    ratings = conversations.ratings(desk.database, conversation_id, customer) if given else {}
    learned = feedback.learned_in(desk.database, list(ratings))
    for answer in given:
        draw_question(answer.question)
        with message("assistant"):
            draw_answer(answer, standing)
            if answer.offers_person:
                handing_over.draw_offer(answer.answer_id, conversation_id)
            became = (
                f" · we learned from your opinion in {learned[answer.answer_id]}" if answer.answer_id in learned else ""
            )
            draw_opinion(answer.answer_id, ratings.get(answer.answer_id), _voice(answer) + became)


def message(role: str) -> DeltaGenerator:
    """The bubble of one speaker."""
    return st.chat_message(role, avatar=AVATARS[role])


def draw_question(question: str) -> None:
    """What the customer asked."""
    with message("user"):
        st.html(body(question))


def draw_answer(answer: Answer, standing: Mapping[int, Standing]) -> None:
    """What the customer was told, and where it stands."""
    if answer.abstained:
        st.html(body(answer.text, "fd-text fd-abstained"))
        return
    st.html(answer_body(answer.text, answer.keys))
    if answer.pin is not None:
        st.caption(":material/verified: Checked and approved by our team")
    if answer.citations:
        with st.container(key=f"sources-{answer.answer_id}", gap="xxsmall"):
            st.caption("Sources")
            for citation in answer.citations:
                draw_source(answer, citation, standing)


def draw_source(answer: Answer, citation: Citation, standing: Mapping[int, Standing]) -> None:
    """One citation; opened, it shows the section that it is from, the quote marked."""
    place = [citation.title, citation.heading, f"page {citation.page}" if citation.page else ""]
    where = " · ".join(dict.fromkeys(part for part in place if part))
    with st.expander(label(f"[{citation.n}] {where}"), key=f"source-{answer.answer_id}-{citation.n}", type="compact"):
        now = standing.get(citation.version_id, "removed")
        if now == "removed":
            st.caption("This document has been removed since.")
            return
        if now == "changed":
            st.caption("This document has changed since. When you asked, it said:")
        st.html(highlighted(answer.opened(citation), [citation.quote]))


@st.fragment
def draw_opinion(answer_id: str, rating: int | None, caption: str) -> None:
    """A thumb, kept at once; then the reason, which is optional."""
    with guarded():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            thumb = st.feedback("thumbs", key=f"thumb-{answer_id}", default=rating)
            st.caption(label(caption), width="content")
        kept = st.session_state.setdefault(f"rated-{answer_id}", rating)
        if thumb is not None and thumb != kept:
            _rate(answer_id, thumb)
            st.session_state[f"rated-{answer_id}"] = thumb
            st.session_state[f"asked-{answer_id}"] = True
        place = st.empty()
        if st.session_state.get(f"asked-{answer_id}") and thumb is not None:
            with place.container():
                sent = draw_reason(answer_id, thumb)
            if sent:
                st.session_state[f"asked-{answer_id}"] = False
                place.caption(":material/check: Thank you. We read every comment.")


def draw_reason(answer_id: str, thumb: int) -> bool:
    """What was wrong, or what was good, in the customer's words; whether it was sent and kept."""
    with st.form(f"opinion-{answer_id}"):
        reason = None
        if thumb == BAD:
            reason = st.pills("What was the matter?", REASONS, key=f"reason-{answer_id}")
        comment = st.text_area(
            "Would you like to add something?",
            key=f"comment-{answer_id}",
            height=80,
            max_chars=feedback.LONGEST_COMMENT,
            placeholder="Optional",
        )
        sent = st.form_submit_button("Send", key=f"send-{answer_id}")
    if sent:
        _rate(answer_id, thumb, reason or "", comment or "")
    return sent


def _voice(answer: Answer) -> str:
    """Who answered and how long it took."""
    voice = (answer.adapter or "base model") + (", quoting our documents" if answer.quoted else "")
    if answer.abstained or answer.pin is not None:
        voice = "searched" if answer.abstained else "approved answer"
    return f"{voice} · {words.duration(answer.timings_ms.total)}"


def _rate(answer_id: str, thumb: int, reason: str = "", comment: str = "") -> None:
    database = session.desk().database
    feedback.rate(database, conversations.answer(database, answer_id, session.customer()), thumb, reason, comment)
