"""The documents as a list: filtered, searched, and each with its state, its figures and what can be done with it."""

import time
from collections.abc import Mapping, Sequence

import streamlit as st

from bot import documents, inbox
from bot.desk import Desk
from bot.documents import BROKEN, WORKING, Freshness
from bot.records import Document, DocumentState, Meta
from ui import dialogs, session, words
from ui.escape import body, sentence

ROWS_A_PAGE = 20
FILTERS: dict[str, tuple[DocumentState, ...]] = {
    "All": (),
    "Answerable": ("indexed",),
    "On the way": WORKING,
    "With a problem": BROKEN,
}
STATES = {
    "queued": ("Waiting", "gray", ":material/hourglass_empty:"),
    "reading": ("Reading", "blue", ":material/auto_stories:"),
    "embedding": ("Almost ready", "blue", ":material/auto_stories:"),
    "indexed": ("Answerable", "green", ":material/check:"),
    "failed": ("Could not be read", "red", ":material/error:"),
    "quarantined": ("Set aside", "orange", ":material/report:"),
    "removed": ("Removed", "gray", ":material/delete:"),
}
NOT_YET = ("Not valid yet", "gray", ":material/event_upcoming:")
EXPIRED = ("Expired", "orange", ":material/event_busy:")


def draw_freshness(freshness: Freshness) -> None:
    """The promise of freshness, as it was kept in the last day."""
    if freshness.p50_ms is None or freshness.p95_ms is None:
        return
    typical, slow = words.duration(freshness.p50_ms), words.duration(freshness.p95_ms)
    st.caption(
        f"Answerable after {typical} (typical), within {slow} (95 of 100) · "
        f"{words.count(freshness.documents, 'change')} in the last 24 hours",
        help="From a file's last write to the first moment at which an answer can use it: "
        "half of the documents took at most the first time (p50), 95 % at most the second (p95).",
    )


def draw_list(desk: Desk, counts: Mapping[DocumentState, int], folders: Sequence[str]) -> None:
    """The filters, and as many documents as were asked for."""
    chosen = draw_states(counts, broken=sum(counts.get(state, 0) for state in BROKEN))
    sought, folder = draw_search(folders)
    shown = st.session_state.setdefault("rows-shown", ROWS_A_PAGE)
    listing = documents.listing(desk.database, sought=sought, states=FILTERS[chosen], collection=folder, most=shown + 1)
    if not listing:
        st.info("No document is like that.", icon=":material/search_off:")
    for document in listing[:shown]:
        with st.container(border=True, key=f"document-{document.document_id}", gap="xsmall"):
            draw_document(document, time.time())
    if len(listing) > shown:
        st.button("Show more", key="more-documents", width="stretch", on_click=_more_rows)


def draw_states(counts: Mapping[DocumentState, int], *, broken: int) -> str:
    """Which documents to show, by how far they have come; and another try for all that failed."""

    def counted(name: str) -> str:
        return f"{name} {sum(counts.get(state, 0) for state in FILTERS[name] or counts):,}"

    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen = st.segmented_control(
            "Show",
            list(FILTERS),
            default="All",
            required=True,
            key="document-filter",
            format_func=counted,
            label_visibility="collapsed",
            on_change=_first_rows,
        )
        if broken > 1 and st.button("Retry all", key="retry-all", icon=":material/refresh:", type="tertiary"):
            _retry_all()
    return chosen or "All"


def draw_search(folders: Sequence[str]) -> tuple[str, str]:
    """What is sought in titles and file names, and the folder to look in."""
    left, right = st.columns([3, 1]) if folders else (st.container(), None)
    with left:
        sought = st.text_input(
            "Find",
            type="search",
            key="find-document",
            placeholder="Find by title or file name",
            label_visibility="collapsed",
            live=True,
            on_change=_first_rows,
        )
    if right is None:
        return sought or "", ""
    with right:
        folder = st.selectbox(
            "Folder",
            folders,
            index=None,
            key="folder-filter",
            placeholder="Every folder",
            label_visibility="collapsed",
            on_change=_first_rows,
        )
    return sought or "", folder or ""


def draw_document(document: Document, now: float) -> None:
    """One document: what it is, how far it has come, and what can be done with it."""
    word, colour, icon = _badge(document, now)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.html(body(document.title, "fd-title"), width="content")
        st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]  # one of the colours above
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        facts = body(words.name(document.path), "fd-path") + body(_facts(document), "fd-quiet")
        about = _about(document.meta, now)
        st.html(facts + (body(about, "fd-quiet") if about else ""), width="content")
        draw_actions(document)
    for note in document.notes:
        st.caption(f":material/info: {sentence(note)}")
    if document.error and document.state in BROKEN:
        st.error(sentence(document.error))
    elif document.error:
        st.caption(f":material/refresh: {sentence(document.error)}")


def draw_actions(document: Document) -> None:
    """Try again, look inside, remove."""
    number, path = document.document_id, document.path
    with st.container(horizontal=True, gap="xsmall", width="content", key=f"actions-{number}"):
        if document.state in BROKEN and st.button("Retry", key=f"retry-{number}", icon=":material/refresh:"):
            _retry(path)
        if document.answers and st.button("Look inside", key=f"preview-{number}", type="tertiary"):
            dialogs.open_dialog("preview", path)
        if st.button("", key=f"remove-{number}", icon=":material/delete:", type="tertiary", help="Remove"):
            dialogs.open_dialog("remove", path)


def _badge(document: Document, now: float) -> tuple[str, str, str]:
    """How far a document has come; once it could answer, whether it may."""
    if document.state == "indexed" and _expired(document.meta, now):
        return EXPIRED
    if document.state == "indexed" and _not_yet(document.meta, now):
        return NOT_YET
    return STATES[document.state]


def _facts(document: Document) -> str:
    facts = []
    if document.pages:
        facts.append(words.count(document.pages, "page"))
    if document.chunks:
        facts.append(words.count(document.chunks, "piece"))
    facts.append(words.size(document.size_bytes))
    if document.freshness_ms is not None:
        facts.append(f"answerable after {words.duration(document.freshness_ms)}")
    return " · ".join([*facts, f"changed {words.ago(document.updated_at)}"])


def _about(meta: Meta, now: float) -> str:
    """Whose a document is, and when it answers. A last day counts as a whole, so it ends a moment before the next."""
    parts = [f"Owner: {meta.owner}"] if meta.owner else []
    begins = words.day(meta.valid_from) if meta.valid_from is not None else ""
    ends = words.day(meta.valid_until - 1) if meta.valid_until is not None else ""
    until = f" until {ends}" if ends else ""
    if _expired(meta, now):
        parts.append(f"Expired: it answered until {ends}")
    elif _not_yet(meta, now):
        parts.append(f"Not yet valid: answers from {begins}{until}")
    elif begins or ends:
        parts.append(f"Answers{f' since {begins}' if begins else ''}{until}")
    return " · ".join(parts)


def _expired(meta: Meta, now: float) -> bool:
    return meta.valid_until is not None and meta.valid_until <= now


def _not_yet(meta: Meta, now: float) -> bool:
    return meta.valid_from is not None and now < meta.valid_from


def _first_rows() -> None:
    st.session_state["rows-shown"] = ROWS_A_PAGE


def _more_rows() -> None:
    st.session_state["rows-shown"] += ROWS_A_PAGE


def _retry(path: str) -> None:
    session.require_member()
    desk = session.desk()
    inbox.retry(desk.settings, desk.database, path)
    st.rerun()


def _retry_all() -> None:
    session.require_member()
    desk = session.desk()
    with st.spinner("Trying again…"):
        for document in documents.listing(desk.database, states=BROKEN):
            inbox.retry(desk.settings, desk.database, document.path)
    st.rerun()
