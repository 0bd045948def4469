"""The way from the bot to a person: the customer says how to be reached, and the conversation goes along."""

import streamlit as st

from bot import conversations, handoffs, prompts
from ui import session
from ui.edge import guarded
from ui.escape import body, label

LONGEST_NOTE = 500


@st.fragment
def draw_offer(answer_id: str, conversation_id: str) -> None:
    """The offer, its form, or that it was taken."""
    with guarded():
        desk = session.desk()
        place = st.empty()
        if handoffs.is_requested(desk.database, answer_id):
            _draw_taken(desk.settings.contact)
            return
        with place.container(key=f"person-{answer_id}", horizontal=True, vertical_alignment="center"):
            offer = prompts.load("person", desk.database).text.format(contact=desk.settings.contact)
            st.html(body(offer, "fd-quiet"), width="content")
            note = draw_form(answer_id)
        if note is not None:
            given = conversations.answer(desk.database, answer_id, session.customer())
            conversations.require(desk.database, conversation_id, session.customer())
            handoffs.request(desk.database, given, conversation_id, note)
            place.empty()
            _draw_taken(desk.settings.contact)


def draw_form(answer_id: str) -> str | None:
    """How the customer wants to be reached, once they have asked for a person and said so."""
    with (
        st.popover("Talk to a person", icon=":material/support_agent:", key=f"offer-{answer_id}"),
        st.form(f"hand-over-{answer_id}", border=False),
    ):
        note = st.text_area(
            "How can we reach you, and is there anything to add?",
            key=f"reach-{answer_id}",
            height=80,
            max_chars=LONGEST_NOTE,
            placeholder="For example your e-mail address",
        )
        st.caption("This conversation goes along, so you need not repeat yourself.")
        sent = st.form_submit_button("Ask a person", key=f"hand-over-send-{answer_id}", type="primary")
    if sent and not (note or "").strip():
        st.warning("Please say how we can reach you.")
        return None
    return (note or "").strip() if sent else None


def _draw_taken(contact: str) -> None:
    st.caption(f":material/check: Your conversation is with {label(contact)}, who will get in touch with you.")
