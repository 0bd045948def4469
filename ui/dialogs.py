"""What lies over the Documents page: the look inside a document, and the questions before something goes.

Which of them is open is kept in the session and drawn by the page itself, not by the list, which would close it
whenever it draws itself anew.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from bot import documents, inbox
from bot.desk import Desk
from ui import preview, session, words
from ui.edge import guarded
from ui.escape import body


def open_dialog(name: str, path: str = "") -> None:
    """Open a dialog, about a document where it needs one."""
    st.session_state["opened"] = (name, path)
    st.rerun()


def close() -> None:
    """No dialog is open any more."""
    st.session_state.pop("opened", None)


def draw_opened(desk: Desk) -> None:
    """The dialog that is open, if one is."""
    name, path = st.session_state.get("opened", ("", ""))
    if name == "preview":
        draw_preview(desk, path)
    elif name == "remove":
        draw_removal(path)
    elif name == "remove-sample":
        draw_sample_removal()
    elif name == "mass-deletion":
        draw_mass_deletion(inbox.missing(desk.settings, desk.database))


@st.dialog("What Frontdesk reads in it", width="large", on_dismiss=close)
def draw_preview(desk: Desk, path: str) -> None:
    """A document's pieces, and its way."""
    with guarded():
        session.require_member()
        document = documents.find(desk.database, path)
        preview.draw_document(document, documents.proofs(desk.database, path))
        preview.draw_pieces(document, inbox.pieces(desk.database, path))


@st.dialog("Remove this document?", on_dismiss=close)
def draw_removal(path: str) -> None:
    """The question before a document goes."""
    st.html(body(words.name(path), "fd-path"))
    st.html(body("It is deleted from the inbox, and no answer uses it from then on.", "fd-text"))
    if st.button("Remove", key="confirm-remove", type="primary", icon=":material/delete:"):
        _do(lambda desk: inbox.withdraw(desk.settings, desk.database, path))


@st.dialog("Remove the sample company?", on_dismiss=close)
def draw_sample_removal() -> None:
    """The question before the sample goes."""
    st.html(body("Its documents and its example feedback are deleted. Your own stay as they are.", "fd-text"))
    if st.button("Remove", key="confirm-remove-sample", type="primary", icon=":material/delete:"):
        _do(lambda desk: inbox.remove_sample(desk.settings, desk.database))


@st.dialog("Remove what is missing?", on_dismiss=close)
def draw_mass_deletion(missing: Sequence[str]) -> None:
    """The question before a halted mass deletion goes through. What is confirmed is what was shown."""
    if not missing:
        st.html(body("All files are there again. There is nothing to do.", "fd-text"))
        return
    files = words.count(len(missing), "file is", "files are")
    text = (
        f"{files} missing from the inbox. No answer uses them from then on. Should they come back, they answer again."
    )
    st.html(body(text, "fd-text"))
    removes = f"Remove {words.count(len(missing), 'document')}"
    if st.button(removes, key="confirm-missing", type="primary", icon=":material/delete_sweep:"):
        _do(lambda desk: _withdraw_missing(desk, missing))


def _withdraw_missing(desk: Desk, missing: Sequence[str]) -> None:
    gone = inbox.withdraw_missing(desk.settings, desk.database, missing)
    st.toast(f"{words.count(gone, 'document')} removed from the answers.")


def _do(what: Callable[[Desk], object]) -> None:
    """Do what was confirmed, close the dialog and draw the page anew."""
    with guarded():
        session.require_member()
        with st.spinner("Removing…"):
            what(session.desk())
        close()
        st.rerun()
