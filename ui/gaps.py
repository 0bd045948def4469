"""The page of what is missing: people who wait for a person, and what customers asked that the documents do not say."""

from collections.abc import Sequence

import streamlit as st

from bot import bell, conversations, feedback, gaps, handoffs, retries, triage
from bot.desk import Desk
from bot.errors import NotAllowed
from bot.gaps import Cluster, Gap
from bot.handoffs import Handoff
from bot.records import Feedback
from ui import session, words
from ui.edge import guarded
from ui.escape import answer_body, body, label

TITLE = "Gaps"
CLUSTERS_A_PAGE = 20
QUESTIONS_SHOWN = 8
CLOSED_SHOWN = 20
NOBODY = "nobody yet"


def draw_page() -> None:
    """Who waits, what is missing, what was closed."""
    st.title(TITLE, anchor=False)
    greeting = "What customers asked and the documents do not say. A document that answers it closes a gap by itself."
    st.html(body(greeting, "fd-greeting"))
    desk = session.desk()
    with guarded():
        draw_waiting(desk, handoffs.listing(desk.database))
    with guarded():
        draw_wrong(desk, feedback.reports(desk.database))
    with guarded():
        draw_open(gaps.clusters(desk.database))
    with guarded():
        draw_closed(desk, gaps.closed(desk.database, CLOSED_SHOWN))


def draw_waiting(desk: Desk, waiting: Sequence[Handoff]) -> None:
    """People who wait for a person; nothing where nobody does."""
    if not waiting:
        return
    st.subheader("People waiting for a person", anchor=False)
    for one in waiting:
        with st.container(border=True, key=f"handoff-{one.handoff_id}"):
            draw_handoff(one, handoffs.transcript(desk.database, one.conversation_id), desk.settings.contact)


def draw_handoff(one: Handoff, transcript: str, contact: str) -> None:
    """One who waits: how to reach them, the conversation, and that it is done."""
    st.html(body(one.question, "fd-title"))
    st.caption(f":material/support_agent: Asked for a person {words.ago(one.created_at)}")
    if one.note:
        st.html(body(f"“{one.note}”", "fd-text fd-comment"))
    with st.expander("The conversation", key=f"transcript-{one.handoff_id}"):
        st.html(body(transcript, "fd-text fd-passage"))
    with st.container(horizontal=True, gap="small"):
        ended = st.button("Done", key=f"handoff-done-{one.handoff_id}", icon=":material/check:")
        link = handoffs.mail_link(contact, f"{one.note}\n\n{transcript}")
        if link:
            st.link_button("Forward by e-mail", link, icon=":material/forward_to_inbox:", type="tertiary")
    if ended:
        with guarded():
            handoffs.done(session.desk().database, one.handoff_id, session.require_member())
            st.rerun()


def draw_wrong(desk: Desk, reports: Sequence[Feedback]) -> None:
    """Answers that a reviewer found wrong, for the owner of the document; nothing where there are none."""
    if not reports:
        return
    st.subheader("Found wrong by a reviewer", anchor=False)
    for item in reports:
        with st.container(border=True, key=f"wrong-{item.feedback_id}"):
            st.html(body(item.question, "fd-title"))
            st.html(answer_body(item.answer))
            documents = ", ".join(words.name(path) for path in triage.documents_of(desk.database, item)[:2])
            st.caption(label(f"Owner: {item.owner or NOBODY} · {documents} · reported by {item.reviewer}"))
            for said in (item.note, item.comment):
                if said:
                    st.html(body(f"“{said}”", "fd-text fd-comment"))
            if st.button("Seen to", key=f"wrong-done-{item.feedback_id}", icon=":material/check:"):
                with guarded():
                    feedback.settle_report(desk.database, item.feedback_id, session.require_member())
                    st.rerun()


def draw_open(clusters: Sequence[Cluster]) -> None:
    """The open gaps, the most asked first."""
    st.subheader("Not in the documents", anchor=False)
    if not clusters:
        st.info(
            "Every question so far had an answer in the documents. One that has none appears here, together with those "
            "that ask the same.",
            icon=":material/check_circle:",
        )
        return
    asked = sum(cluster.count for cluster in clusters)
    st.caption(f"{words.count(asked, 'question')} in {words.count(len(clusters), 'gap')}")
    shown = st.session_state.get("gaps-shown", CLUSTERS_A_PAGE)
    for cluster in clusters[:shown]:
        with st.container(border=True, key=f"gap-{cluster.gap_ids[0]}"):
            draw_cluster(cluster)
    if len(clusters) > shown and st.button(f"Show more ({len(clusters) - shown})", key="more-gaps"):
        st.session_state["gaps-shown"] = shown + CLUSTERS_A_PAGE
        st.rerun()


def draw_cluster(cluster: Cluster) -> None:
    """One gap: what is asked, how often, who is to answer it, and what comes closest."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(body(cluster.question, "fd-title"), width="content")
        st.badge(words.count(cluster.count, "time"), color="gray")
    facts = [f"Owner: {cluster.owner or NOBODY}", words.name(cluster.collection)]
    facts.append(f"last asked {words.ago(cluster.last_asked)}")
    if cluster.count > 1:
        facts.append(f"first asked {words.ago(cluster.first_asked)}")
    st.caption(label(" · ".join(fact for fact in facts if fact)))
    others = [question for question in cluster.questions if question != cluster.question]
    if others:
        with st.expander("Also asked as", key=f"questions-{cluster.gap_ids[0]}"):
            for question in others[:QUESTIONS_SHOWN]:
                st.html(body(question))
    if cluster.nearby:
        with st.expander("The nearest documents", key=f"nearby-{cluster.gap_ids[0]}"):
            for near in cluster.nearby:
                place = dict.fromkeys(part for part in (near.title, near.heading) if part)
                st.html(body(" · ".join(place)))
                st.html(body(words.name(near.document), "fd-path"))
    draw_actions(cluster)


def draw_actions(cluster: Cluster) -> None:
    """Ask again, or close it for good."""
    number = cluster.gap_ids[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        again = st.button("Ask again", key=f"again-{number}", icon=":material/refresh:", disabled=cluster.waits)
        closing = st.button(
            "Close", key=f"close-{number}", icon=":material/block:", help="It is not for our documents to answer this."
        )
        if cluster.waits:
            st.caption(":material/hourglass_top: It is being asked again.", width="content")
    with guarded():
        desk = session.desk()
        if again:
            session.require_member()
            gaps.ask_again(desk.database, cluster.gap_ids)
            bell.ring(desk.settings, retries.request(desk.database, desk.embedding_model))
            st.rerun()
        if closing:
            gaps.close(desk.database, cluster.gap_ids, session.require_member())
            st.rerun()


def draw_closed(desk: Desk, closed: Sequence[Gap]) -> None:
    """The gaps that are none any more, and which document closed them."""
    if not closed:
        return
    st.subheader("Closed", anchor=False)
    for gap in closed:
        with st.container(border=True, key=f"closed-{gap.gap_id}", gap="xsmall"):
            st.html(body(gap.question, "fd-title"))
            when = words.ago(gap.closed_at) if gap.closed_at else ""
            if gap.closing_answer_id is None:
                st.caption(f":material/block: Not for our documents, said {label(gap.closed_by)} · {when}")
                continue
            st.caption(f":material/task: Closed by {label(words.name(gap.closed_by))} · {when}")
            with st.expander("What is answered now", key=f"closing-{gap.gap_id}"):
                st.html(answer_body(_answer(desk, gap.closing_answer_id)))


def _answer(desk: Desk, answer_id: str) -> str:
    try:
        return conversations.answer(desk.database, answer_id).text
    except NotAllowed:
        return "This answer is not kept any more."
