"""The reviewer's page: what customers thought of answers, and what of it may teach the style."""

from collections.abc import Sequence

import streamlit as st

from bot import feedback, pins, style, triage
from bot.pins import Pin
from bot.records import Feedback, FeedbackState
from bot.style import Style
from ui import deciding, reviewing, session, words
from ui.edge import guarded
from ui.escape import answer_body, body, difference, label

TITLE = "Review"
ITEMS_A_PAGE = 10
FILTERS: dict[str, FeedbackState | None] = {
    "Pending": "pending",
    "Approved": "approved",
    "Rejected": "rejected",
    "Disputed": "disputed",
    "All": None,
}
STYLE_PARTS = {"avoid": "phrases to avoid"}  # where the word in style.yaml says too little
BADGES = {
    "pending": ("Pending", "gray"),
    "approved": ("Approved", "green"),
    "rejected": ("Rejected", "red"),
    "disputed": ("Disputed", "violet"),
}
NOTHING = {
    "Pending": "Nothing waits for review. New ratings from the chat appear here.",
    "Approved": "Nothing is approved yet. Approved answers teach the bot its style.",
    "Rejected": "Nothing has been rejected.",
    "Disputed": "Reviewers agree. Where two of them disagree, a third opinion is asked for here.",
    "All": "There is no feedback yet. Ratings from the chat appear here.",
}


def draw_page() -> None:
    """The queue."""
    st.title(TITLE, anchor=False)
    greeting = "Approve answers that sound right, or write how they should sound. Only approved ones are learned from."
    st.html(body(greeting, "fd-greeting"))
    desk = session.desk()
    draw_counter(feedback.count_new(desk.database), desk.settings.train_min_rows)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen = st.segmented_control(
            "Show", list(FILTERS), default="Pending", required=True, key="review-filter", label_visibility="collapsed"
        )
        with st.container(horizontal=True, gap="small", width="content"):
            every = feedback.listing(desk.database, FILTERS[chosen or "Pending"])
            wanted = reviewing.draw_filter(every, feedback.reviewers(desk.database))
            reviewing.draw_name()
    items = [item for item in every if wanted.takes(item, session.reviewer())]
    if not items:
        nothing = "Nothing fits what was chosen above." if every else NOTHING[chosen or "Pending"]
        st.info(nothing, icon=":material/inbox:")
    shown = st.session_state.get("items-shown", ITEMS_A_PAGE)
    pinned, wanted_style = pins.listing(desk.database), style.load(desk.settings)
    reviewing.draw_undo()
    reviewing.draw_batch([item for item in items[:shown] if item.state == "pending"])
    first = next((item for item in items if item.state == "pending"), None)
    for item in items[:shown]:
        with st.container(border=True, key=f"feedback-{item.feedback_id}"):
            says_it = [pin for pin in pinned if pins.says_the_same(pin, item)]
            draw_item(item, says_it, wanted_style, on_top=item == first)
    if len(items) > shown and st.button(f"Show more ({len(items) - shown})", key="more-feedback"):
        st.session_state["items-shown"] = shown + ITEMS_A_PAGE
        st.rerun()


def draw_counter(approved: int, needed: int) -> None:
    """How near the next training is."""
    text = f"{approved} of {needed} approved rows until the next training"
    if approved >= needed:
        text = f"{words.count(approved, 'approved row')}: enough for the next training, which starts by itself"
    st.progress(min(1.0, approved / needed), text=text)


def draw_item(item: Feedback, pinned: Sequence[Pin], wanted: Style, *, on_top: bool = False) -> None:
    """One opinion: what was asked and said, on what grounds, and what the reviewer makes of it. `pinned` are the
    questions that it was pinned to, the newest first; `wanted` is the house style; the one `on_top` of those that wait
    is decided by keys."""
    word, colour = BADGES[item.state]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(body(item.question, "fd-title"), width="content")
        with st.container(horizontal=True, gap="xsmall", width="content", vertical_alignment="center"):
            if item.assignee:
                st.badge(label(item.assignee), icon=":material/person:", color="gray")
            if item.tag:
                st.badge(item.tag.capitalize(), icon=":material/sell:", color="violet")
            if item.trained_in:
                st.badge(label(f"in {item.trained_in}"), icon=":material/school:", color="blue")
            if item.state == "approved" and not all(pin.voided for pin in pinned):
                st.badge("Pinned", icon=":material/keep:", color="orange")
            if item.state != "pending":
                st.badge(word, color=colour)  # type: ignore[arg-type]  # one of the colours above
            else:
                st.checkbox("Select", key=f"pick-{item.feedback_id}", label_visibility="collapsed")
    st.html(answer_body(item.answer))
    draw_opinion(item)
    if item.evidence:
        with st.expander(
            f"Evidence · {words.count(len(item.evidence), 'passage')}", key=f"evidence-{item.feedback_id}"
        ):
            for passage in item.evidence:
                place = [passage.title, passage.heading, f"page {passage.page}" if passage.page else ""]
                st.html(body(" · ".join(dict.fromkeys(part for part in place if part)), "fd-title"))
                st.html(body(passage.text, "fd-text fd-passage"))
    draw_style(item, wanted)
    if item.state == "pending":
        deciding.draw_decision(item, triage.suggest(item), keys=on_top)
    else:
        draw_decided(item, pinned)


def draw_opinion(item: Feedback) -> None:
    """The customer's rating, reason and comment, and who had answered."""
    thumb = "Customer liked it" if item.rating else "Customer did not like it"
    facts = [thumb, item.reason, item.adapter or "base model", words.ago(item.created_at)]
    icon = ":material/thumb_up:" if item.rating else ":material/thumb_down:"
    st.caption(f"{icon} {label(' · '.join(fact for fact in facts if fact))}")
    if item.comment:
        st.html(body(f"“{item.comment}”", "fd-text fd-comment"))


def draw_style(item: Feedback, wanted: Style) -> None:
    """How well the answer keeps to the house style, 0 to 100: what each part that misses it says, then what is as it
    should be."""
    scored = style.score(item.answer, wanted)
    parts = {STYLE_PARTS.get(name, name): part for name, part in scored.parts.items()}
    kept = [name for name, part in parts.items() if part.value == 1]
    with st.expander(f"House style · {scored.total:.0f} of 100", key=f"style-{item.feedback_id}", type="compact"):
        for name, part in parts.items():
            if name not in kept:
                st.html(body(f"{name.capitalize()}: {part.why}", "fd-quiet"))
        if kept:
            st.html(body(f"As it should be: {', '.join(kept)}", "fd-quiet"))


def draw_decided(item: Feedback, pinned: Sequence[Pin]) -> None:
    """What was decided, what it is pinned to, and the way back while nothing has learned from it."""
    if item.rewrite and item.rewrite != item.answer:
        st.caption("Approved as" if item.state == "approved" else "Proposed")
        st.html(answer_body(item.rewrite))
        with st.expander("What was changed", key=f"changed-{item.feedback_id}", type="compact"):
            st.html(difference(item.answer, item.rewrite))
    if item.note:
        st.html(body(f"Note: {item.note}", "fd-quiet"))
    if item.tag == "wrong fact":
        st.caption(f":material/assignment_ind: Reported to {label(item.owner or 'nobody: no owner is named')}")
    said = feedback.opinions(session.desk().database, item.feedback_id)
    mine = not said or session.reviewer() in [one.reviewer for one in said]
    if item.trained_in is None:
        deciding.draw_second_opinion(item, said, asked=not mine)
    if item.state == "approved":
        draw_pins(pinned)
    with st.container(horizontal=True, gap="small"):
        if item.state == "approved":
            draw_pinning(item, more=any(not pin.voided for pin in pinned))
        undone = (
            mine
            and item.trained_in is None
            and st.button("Undo", key=f"undo-{item.feedback_id}", icon=":material/undo:")
        )
    if undone:
        with guarded():
            database, reviewer = session.desk().database, session.reviewer()
            for pin in pinned:
                pins.unpin(database, pin.pin_id, reviewer)
            feedback.undo(database, item.feedback_id, reviewer)
            st.rerun()


def draw_pins(pinned: Sequence[Pin]) -> None:
    """The questions that get this answer word for word; where none does any more, why."""
    valid = [pin for pin in pinned if not pin.voided]
    for pin in valid:
        with st.container(horizontal=True, vertical_alignment="center"):
            asked = f"“{pin.question}”" + (f" about {words.name(pin.collection)}" if pin.collection else "")
            st.caption(f":material/keep: Given word for word to {label(asked)}", width="content")
            if st.button("Unpin", key=f"unpin-{pin.pin_id}", type="tertiary"):
                with guarded():
                    pins.unpin(session.desk().database, pin.pin_id, session.require_member())
                    st.rerun()
    if pinned and not valid:
        st.caption(f":material/keep_off: Not pinned any more. {label(pinned[0].void_reason)}")


def draw_pinning(item: Feedback, *, more: bool) -> None:
    """The questions that this answer is to close from now on, or `more` of them, while its documents say so."""
    number = item.feedback_id
    with (
        st.popover(
            "Pin to more questions" if more else "Pin this answer", icon=":material/keep:", key=f"pinning-{number}"
        ),
        st.form(f"pin-form-{number}", border=False, enter_to_submit=False),
    ):
        asked = st.text_area(
            "Questions that it answers, one a line",
            value=item.question,
            height=120,
            key=f"pin-questions-{number}",
            help="Put each so that it can be understood alone.",
        )
        st.caption("Who asks one of these gets this answer word for word, until a document that it cites changes.")
        sent = st.form_submit_button("Pin", key=f"pin-{number}", type="primary")
    if sent:
        with guarded():
            _pin(item, [line for line in (asked or "").splitlines() if line.strip()])


def _pin(item: Feedback, questions: Sequence[str]) -> None:
    desk, reviewer = session.desk(), session.reviewer()
    if not questions:
        st.warning("Write at least one question that this answers.")
        return
    with st.spinner("Looking it up in the documents…"):
        for question in questions:
            pins.pin(desk.database, desk.embeddings, desk.embedding_model, item, reviewer, question)
    st.rerun()
