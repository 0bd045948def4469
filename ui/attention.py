"""What the Documents page says before it lists anything: alarms, questions to a person, and how the work goes."""

from collections.abc import Sequence

import streamlit as st

from bot.documents import Progress
from ui import dialogs, words
from ui.escape import sentence

MOST_ALARMS = 3


def draw_missing_inbox(notice: str) -> None:
    """The inbox is missing as a whole."""
    st.error(sentence(f"{notice} Until it is back, nothing can be added."), icon=":material/folder_off:")


def draw_mass_deletion(notice: str) -> None:
    """So many files vanished at once that a person is asked."""
    with st.container(key="mass-deletion", gap="small"):
        st.warning(sentence(notice), icon=":material/front_hand:")
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Remove them from the answers", key="confirm-mass-deletion", icon=":material/delete_sweep:"):
                dialogs.open_dialog("mass-deletion")
            st.caption("If you bring the files back, there is nothing else to do.", width="content")


def draw_unproven(found: Sequence[tuple[str, str]]) -> None:
    """Deleted text that can still be found: (path, what was found)."""
    for path, what in found[:MOST_ALARMS]:
        text = f"The deleted text of “{words.name(path)}” can still be found: {what}"
        mending = "It is tried again by itself; `frontdesk verify --repair` mends it at once."
        st.error(sentence(f"{text} {mending}"), icon=":material/gpp_maybe:")
    if len(found) > MOST_ALARMS:
        st.error(f"The same is true of {words.count(len(found) - MOST_ALARMS, 'more version')}.")


def draw_work(progress: Progress, left: int, whole: int) -> None:
    """How far the work on documents has come: first that for a new index (`left` of `whole` documents), then the
    rest."""
    if whole:
        with st.container(key="rebuilding", border=True, gap="xsmall"):
            st.progress(
                (whole - left) / whole,
                text="A new index is being built beside the one that answers: "
                f"{whole - left:,} of {words.count(whole, 'document')}{_pace(progress)}",
            )
    waiting = max(0, progress.waiting - left)
    most = max(waiting, st.session_state.get("most-waiting", 0)) if waiting else 0
    st.session_state["most-waiting"] = most
    if waiting:
        done = f"{most - waiting:,} of {words.count(most, 'document')}"
        begun = f"{words.count(waiting, 'document')} on the way"
        st.progress((most - waiting) / most, text=(done if waiting < most else begun) + _pace(progress))


def draw_nothing_yet(inbox: str) -> None:
    """How to begin."""
    st.info(
        sentence(
            f"There are no documents yet. Drop the first one above, or copy files into `{inbox}`; they are answerable "
            "seconds later. `frontdesk sample` brings a made-up company to try things out with."
        ),
        icon=":material/folder_open:",
    )


def _pace(progress: Progress) -> str:
    if not progress.per_second or progress.seconds_left is None:
        return ""
    return f" · {words.rate(progress.per_second)} · {words.time_left(progress.seconds_left)}"
