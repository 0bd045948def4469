"""The content owner's page: drop documents in, see how far they have come, look into them, take them away."""

import time
from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from bot import documents, inbox, indexes, notices
from bot.desk import Desk
from bot.errors import FrontdeskError
from ui import attention, dialogs, library, session, words
from ui.edge import guarded
from ui.escape import body, sentence

TITLE = "Documents"
BUSY_REFRESH_SECONDS = 2
CALM_REFRESH_SECONDS = 15
WATCH_AFTER_UPLOAD_SECONDS = 20
KINDS = (
    "PDF, Word, PowerPoint, Excel, OpenDocument, web pages, e-mail, e-books, CSV, JSON, XML, text, "
    "and zip archives of these."
)


def draw_page() -> None:
    """What needs a person, the drop zone, and the documents that there are."""
    st.title(TITLE, anchor=False)
    st.html(body("What Frontdesk answers from. A new document is answerable within seconds.", "fd-greeting"))
    desk = session.desk()
    busy = _busy(desk)
    pace = BUSY_REFRESH_SECONDS if busy else CALM_REFRESH_SECONDS
    st.fragment(run_every=pace)(draw_alarms)()
    folders = documents.collections(desk.database)
    draw_upload(desk, folders, closed=notices.get(desk.database, notices.INBOX_MISSING) is not None)
    st.fragment(run_every=pace)(draw_library)(folders, was_busy=busy)
    if any(folder.split("/")[0] == inbox.SAMPLE_FOLDER for folder in folders):
        draw_sample()
    dialogs.draw_opened(desk)


def draw_alarms() -> None:
    """What a person has to see or to decide; it draws itself anew, because nobody announces an alarm."""
    with guarded():
        session.require_member()
        database = session.desk().database
        missing = notices.get(database, notices.INBOX_MISSING)
        if missing:
            attention.draw_missing_inbox(missing)
        vanished = notices.get(database, notices.MASS_DELETION)
        if vanished and not missing:
            attention.draw_mass_deletion(vanished)
        attention.draw_unproven(documents.unproven(database))


def draw_upload(desk: Desk, folders: Sequence[str], *, closed: bool) -> None:
    """The drop zone. A file of the same name takes the place of the old one. While the inbox is missing it is `closed`:
    an upload would make a new one in its place."""
    most, round_number = desk.settings.max_file_megabytes, st.session_state.setdefault("upload-round", 0)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        uploads = st.file_uploader(
            "Drop files here",
            accept_multiple_files=True,
            key=f"uploads-{round_number}",
            max_upload_size=most,
            disabled=closed,
        )
    with right:
        folder = st.selectbox(
            "Put them into",
            folders,
            index=None,
            key="upload-folder",
            placeholder="No folder",
            accept_new_options=True,
            help="Choose a folder of the inbox, or type a new one.",
        )
    st.caption(KINDS)
    if uploads and not closed:
        with guarded():
            session.require_member()
            _save(desk, uploads, folder or "")
    for refusal in st.session_state.get("refusals", []):
        st.warning(sentence(refusal), icon=":material/block:")


def draw_library(folders: Sequence[str], *, was_busy: bool) -> None:
    """How the work goes, and the documents; drawn anew, faster while any of them is being worked on."""
    with guarded():
        session.require_member()
        desk = session.desk()
        if _busy(desk) != was_busy:
            st.rerun()
        building = indexes.building(desk.database)
        left, whole = documents.rebuilding(desk.database, building) if building else (0, 0)
        attention.draw_work(documents.progress(desk.database), left, whole)
        counts = documents.count_by_state(desk.database)
        if not counts:
            attention.draw_nothing_yet(str(desk.settings.inbox_dir))
            return
        library.draw_freshness(documents.freshness(desk.database))
        library.draw_list(desk, counts, folders)


def draw_sample() -> None:
    """The way out of the sample company."""
    with st.container(key="sample", border=True, horizontal=True, vertical_alignment="center"):
        st.html(body("The documents under “sample” belong to a made-up company, for trying things out.", "fd-quiet"))
        if st.button("Remove the sample company", key="remove-sample"):
            dialogs.open_dialog("remove-sample")


def _busy(desk: Desk) -> bool:
    """Whether documents are on the way, or an upload may not have been noticed yet."""
    waiting = documents.progress(desk.database).waiting > 0
    return waiting or time.time() < st.session_state.get("watch-until", 0)


def _save(desk: Desk, uploads: Sequence[UploadedFile], folder: str) -> None:
    """Put what was uploaded into the inbox; what is refused is kept as a sentence each, and the others go on."""
    settings, refusals = desk.settings, []
    with st.spinner(f"Saving {words.count(len(uploads), 'file')}…"):
        for upload in uploads:
            try:
                inbox.save(
                    settings.inbox_dir, f"{folder}/{upload.name}", upload.getvalue(), settings.max_file_megabytes
                )
            except FrontdeskError as error:
                refusals.append(str(error))
    st.session_state["refusals"] = refusals
    st.session_state["upload-round"] += 1
    st.session_state["watch-until"] = time.time() + WATCH_AFTER_UPLOAD_SECONDS
    st.toast(f"{words.count(len(uploads) - len(refusals), 'file')} received. Watch below how they get on.")
    st.rerun()
