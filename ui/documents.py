"""The content owner's page: drop documents in, see how far they have come, look into them, take them away."""

import time

import streamlit as st

from bot import documents, inbox
from bot.records import Chunk, Document
from ui import session, words
from ui.edge import guarded
from ui.escape import body, sentence

TITLE = "Documents"
ROWS_A_PAGE = 20
PIECES_SHOWN = 50
REFRESH_SECONDS = 2
WATCH_AFTER_UPLOAD_SECONDS = 20
STATES = {
    "queued": ("Waiting", "gray", ":material/hourglass_empty:"),
    "reading": ("Reading", "blue", ":material/auto_stories:"),
    "embedding": ("Almost ready", "blue", ":material/auto_stories:"),
    "indexed": ("Answerable", "green", ":material/check:"),
    "failed": ("Could not be read", "red", ":material/error:"),
    "quarantined": ("Set aside", "orange", ":material/report:"),
    "removed": ("Removed", "gray", ":material/delete:"),
}
WORKING = ("queued", "reading", "embedding")
BROKEN = ("failed", "quarantined")


def draw_page() -> None:
    """Upload, and the documents that there are."""
    st.title(TITLE, anchor=False)
    st.html(body("What Frontdesk answers from. A new document is answerable within seconds.", "fd-greeting"))
    draw_upload()
    listing = documents.listing(session.desk().database)
    busy = any(document.state in WORKING for document in listing)
    waiting = time.time() < st.session_state.get("watch-until", 0)
    st.fragment(run_every=REFRESH_SECONDS if busy or waiting else None)(draw_listing)()
    if any(document.path.startswith(f"{inbox.SAMPLE_FOLDER}/") for document in listing):
        draw_sample()
    _draw_opened()


def draw_upload() -> None:
    """The drop zone. A file of the same name takes the place of the old one."""
    settings = session.desk().settings
    round_number = st.session_state.setdefault("upload-round", 0)
    uploads = st.file_uploader(
        f"Drop files here: PDF, Word, web pages, text and more, up to {settings.max_file_megabytes} MB each",
        accept_multiple_files=True,
        key=f"uploads-{round_number}",
        max_upload_size=settings.max_file_megabytes,
    )
    if uploads:
        with guarded():
            session.require_member()
            with st.spinner(f"Saving {words.count(len(uploads), 'file')}…"):
                for upload in uploads:
                    inbox.save(settings.inbox_dir, upload.name, upload.getvalue(), settings.max_file_megabytes)
            st.session_state["upload-round"] += 1
            st.session_state["watch-until"] = time.time() + WATCH_AFTER_UPLOAD_SECONDS
            st.toast(f"{words.count(len(uploads), 'file')} received. Watch below how they get on.")
            st.rerun()


def draw_listing() -> None:
    """The documents, filtered; it draws itself anew while any of them is being worked on."""
    with guarded():
        session.require_member()
        listing = documents.listing(session.desk().database)
        if not listing:
            st.info("There are no documents yet. Drop the first one above.", icon=":material/folder_open:")
            return
        st.html(body(_summary(listing), "fd-quiet"))
        sought = st.text_input(
            "Find", key="find-document", placeholder="Find by title or file name", label_visibility="collapsed"
        )
        chosen = [document for document in listing if _matches(document, sought or "")]
        if not chosen:
            st.info("No document has that in its title or file name.", icon=":material/search_off:")
        shown = st.session_state.get("rows-shown", ROWS_A_PAGE)
        for document in chosen[:shown]:
            draw_document(document)
        if len(chosen) > shown and st.button(f"Show more ({len(chosen) - shown})", key="more-documents"):
            st.session_state["rows-shown"] = shown + ROWS_A_PAGE
            st.rerun()


def draw_document(document: Document) -> None:
    """One document with what can be done with it."""
    word, colour, icon = STATES[document.state]
    number, broken = document.document_id, document.state in BROKEN
    with st.container(border=True, key=f"document-{number}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(body(document.title, "fd-title"), width="content")
            st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]  # one of the colours above
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.html(body(_facts(document), "fd-quiet"), width="content")
            with st.container(horizontal=True, gap="xsmall", width="content"):
                if broken and st.button("Retry", key=f"retry-{number}", icon=":material/refresh:"):
                    _retry(document.path)
                if document.chunks and st.button("Look inside", key=f"preview-{number}", type="tertiary"):
                    _open("preview", document.path)
                if st.button("", key=f"remove-{number}", icon=":material/delete:", type="tertiary", help="Remove"):
                    _open("remove", document.path)
        if document.error and broken:
            st.error(sentence(document.error))
        elif document.error:
            st.caption(sentence(document.error))


def draw_sample() -> None:
    """The way out of the sample company."""
    with st.container(key="sample", border=True, horizontal=True, vertical_alignment="center"):
        st.html(body("The documents under “sample” belong to a made-up company, for trying things out.", "fd-quiet"))
        if st.button("Remove the sample company", key="remove-sample"):
            _open("remove-sample", inbox.SAMPLE_FOLDER)


def _close() -> None:
    st.session_state.pop("opened", None)


@st.dialog("What Frontdesk reads in it", width="large", on_dismiss=_close)
def draw_preview(path: str, pieces: list[Chunk]) -> None:
    """A document's pieces as they are searched and cited."""
    st.html(body(f"{path} · {words.count(len(pieces), 'piece')}", "fd-quiet"))
    for piece in pieces[:PIECES_SHOWN]:
        place = [piece.heading, f"page {piece.page}" if piece.page else ""]
        st.html(body(" · ".join(part for part in place if part) or f"Piece {piece.ordinal + 1}", "fd-title"))
        st.html(body(piece.text, "fd-text fd-passage"))
    if len(pieces) > PIECES_SHOWN:
        st.caption(f"… and {words.count(len(pieces) - PIECES_SHOWN, 'more piece')}")


@st.dialog("Remove this document?", on_dismiss=_close)
def draw_removal(path: str) -> None:
    """The question before a document goes."""
    st.html(body(f"“{path}” is deleted from the inbox, and no answer uses it from then on.", "fd-text"))
    if st.button("Remove", key="confirm-remove", type="primary", icon=":material/delete:"):
        with guarded():
            session.require_member()
            with st.spinner("Removing…"):
                inbox.withdraw(session.desk().settings, session.desk().database, path)
            _close()
            st.rerun()


@st.dialog("Remove the sample company?", on_dismiss=_close)
def draw_sample_removal() -> None:
    """The question before the sample goes."""
    st.html(body("Its documents and its example feedback are deleted. Your own stay as they are.", "fd-text"))
    if st.button("Remove", key="confirm-remove-sample", type="primary", icon=":material/delete:"):
        with guarded():
            session.require_member()
            with st.spinner("Removing…"):
                inbox.remove_sample(session.desk().settings, session.desk().database)
            _close()
            st.rerun()


def _open(dialog: str, path: str) -> None:
    """Remember which dialog to draw: outside the listing, which would close it when it draws itself anew."""
    st.session_state["opened"] = (dialog, path)
    st.rerun()


def _draw_opened() -> None:
    dialog, path = st.session_state.get("opened", ("", ""))
    if dialog == "preview":
        draw_preview(path, inbox.pieces(session.desk().database, path))
    elif dialog == "remove":
        draw_removal(path)
    elif dialog == "remove-sample":
        draw_sample_removal()


def _retry(path: str) -> None:
    session.require_member()
    desk = session.desk()
    inbox.retry(desk.settings, desk.database, path)
    st.rerun()


def _matches(document: Document, sought: str) -> bool:
    return sought.strip().casefold() in f"{document.title}\n{document.path}".casefold()


def _summary(listing: list[Document]) -> str:
    answerable = sum(document.chunks > 0 for document in listing)
    broken = sum(document.state in BROKEN for document in listing)
    working = sum(document.state in WORKING for document in listing)
    parts = [words.count(len(listing), "document"), f"{answerable:,} answerable"]
    parts += [f"{working:,} on the way"] * bool(working) + [f"{broken:,} with a problem"] * bool(broken)
    return " · ".join(parts)


def _facts(document: Document) -> str:
    facts = [document.path]
    if document.pages:
        facts.append(words.count(document.pages, "page"))
    if document.chunks:
        facts.append(words.count(document.chunks, "piece"))
    facts.append(words.size(document.size_bytes))
    if document.freshness_ms is not None:
        facts.append(f"answerable after {words.duration(document.freshness_ms)}")
    return " · ".join([*facts, f"changed {words.ago(document.updated_at)}"])
