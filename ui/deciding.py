"""What a reviewer makes of one piece of feedback: approve, rewrite, reject, say what kind of error it is, or give a
second opinion."""

from collections.abc import Sequence

import streamlit as st

from bot import feedback, ground, triage
from bot.feedback import Opinion
from bot.records import Feedback
from bot.triage import Kind, Suggestion
from ui import session
from ui.edge import guarded
from ui.escape import body, difference, label

SUGGESTED: dict[Kind, str] = {
    "approve": "Approve as is",
    "style": "Approve a rewrite",
    "wrong fact": "Wrong fact",
    "missing": "Missing",
}
SAID = {"approve": "approved it", "reject": "rejected it"}


def draw_decision(item: Feedback, suggestion: Suggestion, *, keys: bool) -> None:
    """The reviewer's choice, above it what the rules suggest; with `keys`, the keyboard decides this one."""
    number = item.feedback_id
    st.caption(f":material/lightbulb: Suggested: {SUGGESTED[suggestion.kind]} · {label(suggestion.reason)}")
    with st.form(f"decide-{number}", border=False, enter_to_submit=False):
        rewrite = st.text_area(
            "How it should be said", value=item.rewrite or item.answer, height="content", key=f"rewrite-{number}"
        )
        note = st.text_input("Note, when rejecting", key=f"note-{number}", placeholder="Why not? (optional)")
        with st.container(horizontal=True, gap="small"):
            as_is = _submit("Approve as is", f"approve-{number}", "A" if keys else None, icon=":material/check:")
            rewritten = _submit("Approve rewrite", f"approve-rewrite-{number}", "S" if keys else None, primary=True)
            rejected = _submit("Reject", f"reject-{number}", "D" if keys else None, icon=":material/close:")
            wrong = _submit("Wrong fact", f"wrong-{number}", "F" if keys else None, icon=":material/assignment_late:")
            missing = _submit("Missing", f"missing-{number}", "G" if keys else None, icon=":material/playlist_add:")
    with guarded():
        if as_is:
            approve(item, item.answer)
        if rewritten:
            approve(item, rewrite or "")
        if rejected or wrong or missing:
            _reject(item, note or "", "wrong" if wrong else "missing" if missing else "")


def draw_second_opinion(item: Feedback, said: Sequence[Opinion], *, asked: bool) -> None:
    """What each reviewer decided, and, for one who is `asked` because they have not, the way to agree or disagree."""
    number = item.feedback_id
    if len(said) > 1:
        for one in said:
            because = f": {one.note}" if one.note else ""
            st.caption(f":material/person: {label(f'{one.reviewer} {SAID[one.verdict]}{because}')}")
    if not asked:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption("Your opinion:", width="content")
        agreed = st.button("Approve", key=f"second-approve-{number}", icon=":material/check:")
        disagreed = st.button("Reject", key=f"second-reject-{number}", icon=":material/close:")
    with guarded():
        if agreed:
            approve(item, item.rewrite or item.answer)
        if disagreed:
            feedback.reject(session.desk().database, number, session.reviewer())
            st.rerun()


def draw_refusal(item: Feedback, text: str, sentences: Sequence[str]) -> None:
    """Sentences that say more than the evidence does, and what the rewrite has changed."""
    st.error("Not approved: the evidence does not say this. Style may change, facts may not.", icon=":material/block:")
    for sentence in sentences:
        st.html(body(f"“{sentence}”", "fd-text fd-comment"))
    if text != item.answer:
        st.caption("What was changed")
        st.html(difference(item.answer, text))


def approve(item: Feedback, text: str) -> None:
    """Approve a row in these words, if its evidence says as much."""
    reviewer = session.reviewer()
    if not text.strip():
        st.warning("The rewrite is empty. Write how the answer should sound, or reject it.")
        return
    with st.spinner("Checking against the evidence…"):
        unsupported = ground.unsupported(text, item.evidence)
    if unsupported:
        draw_refusal(item, text, unsupported)
        return
    feedback.approve(session.desk().database, item.feedback_id, reviewer, text.strip())
    done([item.feedback_id], "Approved.")


def done(feedback_ids: Sequence[int], what: str) -> None:
    """Draw the page anew, with a way to take back what was just decided."""
    st.session_state["review-last"] = (list(feedback_ids), what)
    st.rerun()


def _reject(item: Feedback, note: str, error: str) -> None:
    desk, reviewer = session.desk(), session.reviewer()
    said = "Rejected."
    if error == "wrong":
        owner = triage.report_wrong(desk.database, item, reviewer, note)
        said = f"Rejected, and reported to {owner}." if owner else "Rejected, and listed on the Gaps page as wrong."
    elif error == "missing":
        triage.report_missing(desk, item, reviewer, note)
        said = "Rejected, and listed on the Gaps page as missing."
    else:
        feedback.reject(desk.database, item.feedback_id, reviewer, note)
    done([item.feedback_id], said)


def _submit(name: str, key: str, shortcut: str | None, *, icon: str | None = None, primary: bool = False) -> bool:
    kind = "primary" if primary else "secondary"
    return st.form_submit_button(name, key=key, icon=icon, type=kind, shortcut=shortcut)  # type: ignore[arg-type]  # either
