"""The look inside one document: its pieces as they are searched and cited, and the way that it has come."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from bot.records import Chunk, Document
from ui import words
from ui.escape import body, sentence

PIECES_A_PAGE = 50
MOST_PROOFS = 20
STEPS = {
    "waited": "Waited",
    "read": "Read",
    "cut": "Cut into pieces",
    "embedded": "Made searchable",
    "stored": "Stored",
}


def draw_document(document: Document, proofs: Sequence[tuple[int, datetime, str]]) -> None:
    """What it is, how long each step took, and what became of its earlier text."""
    st.html(body(document.title, "fd-title") + body(words.name(document.path), "fd-path"))
    draw_way(document)
    draw_proofs(proofs)


def draw_way(document: Document) -> None:
    """How long each step took, as small figures side by side."""
    taken = {word: document.timings_ms[name] for name, word in STEPS.items() if name in document.timings_ms}
    if document.freshness_ms is not None:
        taken["Answerable after"] = document.freshness_ms
    with st.container(horizontal=True, key="way", gap="medium"):
        for word, milliseconds in taken.items():
            st.html(body(word, "fd-quiet") + body(words.duration(milliseconds), "fd-figure"), width="content")


def draw_proofs(proofs: Sequence[tuple[int, datetime, str]]) -> None:
    """What a search for deleted earlier text found: (version, when, what)."""
    if not proofs:
        return
    with st.expander(f"Deleted earlier text · {words.count(len(proofs), 'version')}", key="proofs", type="compact"):
        for version, when, found in proofs[:MOST_PROOFS]:
            if found.startswith("gone"):
                how = "no search finds it" if found == "gone" else "no index holds it"
                st.caption(f":material/verified: Version {version}: deleted {words.ago(when)}, {how}.")
            else:
                st.error(sentence(f"Version {version}: {found}"))
        if len(proofs) > MOST_PROOFS:
            st.caption(f"… and {words.count(len(proofs) - MOST_PROOFS, 'more version')}")


def draw_pieces(document: Document, pieces: Sequence[Chunk]) -> None:
    """The pieces, `PIECES_A_PAGE` at a time."""
    if not pieces:
        st.info("It has no pieces yet.", icon=":material/hourglass_empty:")
        return
    pages = -(-len(pieces) // PIECES_A_PAGE)
    page = 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        first = st.empty()
        if pages > 1:
            page = st.pagination(pages, key=f"pieces-page-{document.document_id}")
    begin = (page - 1) * PIECES_A_PAGE
    chosen = pieces[begin : begin + PIECES_A_PAGE]
    first.caption(_place(begin, len(chosen), len(pieces)), width="content")
    for piece in chosen:
        draw_piece(piece)


def draw_piece(piece: Chunk) -> None:
    """One piece with where it stands."""
    place = [f"Piece {piece.ordinal + 1}", piece.heading, f"page {piece.page}" if piece.page else ""]
    st.html(body(" · ".join(part for part in place if part), "fd-quiet") + body(piece.text, "fd-text fd-passage"))


def _place(begin: int, shown: int, every: int) -> str:
    whole = words.count(every, "piece")
    return whole if shown == every else f"{begin + 1:,} to {begin + shown:,} of {whole}"
