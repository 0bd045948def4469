"""What readers make of files, and how it is cut into chunks."""

import zipfile
from pathlib import Path

import pytest

from bot.errors import UnreadableDocument
from ingest import chunks, sample, sandbox
from ingest.readers.reading import Block, Reading

DOCUMENTS = {path.name: path for path in sample.paths()}


def chunk_with(name: str, words: str) -> tuple[str, int | None, str]:
    for chunk in chunks.cut(sandbox.read(DOCUMENTS[name]), 1):
        if words in chunk.text:
            return chunk.heading, chunk.page, chunk.text
    raise AssertionError(f"'{words}' is in no chunk of {name}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_sample_document_is_read_with_title_and_headings(name: str) -> None:
    reading = sandbox.read(DOCUMENTS[name])
    assert reading.title
    assert sum(block.kind == "heading" for block in reading.blocks) >= 5
    assert (reading.pages is not None) == name.endswith(".pdf")


def test_a_table_row_carries_the_names_of_its_columns() -> None:
    _, _, markdown = chunk_with("loyalty-programme.md", "Return period")
    assert "Benefit: Return period; Seed: 45 days; Sapling: 60 days; Summit: 90 days" in markdown
    heading, _, text = chunk_with("delivery-and-shipping.html", "€14.90")
    assert heading == "Zones, prices and delivery times"
    assert "Zone: Zone B; Area: Highlands and islands; Standard price: €7.90" in text
    _, _, word = chunk_with("payment-and-invoices.docx", "Phone wallet")
    assert "Payment method: Phone wallet; Where: web shop and shops" in word


def test_a_pdf_keeps_its_pages_and_headings_and_loses_its_footers() -> None:
    heading, page, text = chunk_with("camping-stove-manual.pdf", "three attempts")
    assert (heading, page) == ("Lighting the stove", 2)
    everything = " ".join(block.text for block in sandbox.read(DOCUMENTS["camping-stove-manual.pdf"]).blocks)
    assert "Page 2" not in everything
    assert "try again" in text


def test_a_web_page_loses_its_navigation() -> None:
    text = " ".join(block.text for block in sandbox.read(DOCUMENTS["delivery-and-shipping.html"]).blocks)
    assert "Help centre" not in text
    assert "555-0140" in text


def test_a_word_document_keeps_its_ampersands() -> None:
    text = " ".join(block.text for block in sandbox.read(DOCUMENTS["payment-and-invoices.docx"]).blocks)
    assert "Linden & Lark" in text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.md", b"\n\n  \n", "is empty"),
        ("broken.pdf", b"%PDF-1.7\nthis is no PDF at all", "not a valid PDF"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not supported"),
        ("pretends.md", b"\x7fELF\x02\x01\x01\0\0\0", "not supported"),
        ("archive.docx", None, "not supported"),
        ("page.html", b"<html><body><script>alert(1)</script></body></html>", "without any text"),
    ],
)
def test_an_unreadable_file_gets_one_sentence(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    place = tmp_path / name
    if content is None:
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("notes.txt", "hello")
    else:
        place.write_bytes(content)
    with pytest.raises(UnreadableDocument, match=sentence) as refusal:
        sandbox.read(place)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


def test_the_kind_is_decided_by_content_not_by_name(tmp_path: Path) -> None:
    place = tmp_path / "really-a-web-page.txt"
    place.write_text("<!DOCTYPE html><html><body><h1>Hours</h1><p>We open at nine in the morning.</p></body></html>")
    text = " ".join(block.text for block in sandbox.read(place).blocks)
    assert "We open at nine" in text
    assert "<p>" not in text


def test_chunks_never_cross_a_heading_or_a_page_and_fit_the_embedding_model() -> None:
    sentence = "The quick brown fox jumps over the lazy dog near the river bank today. "
    blocks = (
        Block("heading", "Foxes", 1),
        Block("text", sentence * 20, page=1),
        Block("text", "On page two.", page=2),
        Block("heading", "Dogs", 2),
        Block("text", "word " * 400, page=2),
    )
    cut = chunks.cut(Reading("Animals", blocks, 2), 7)
    assert [chunk.heading for chunk in cut] == sorted((chunk.heading for chunk in cut), key=len)
    assert all(len(chunk.text.split()) <= chunks.MOST_WORDS for chunk in cut)
    assert {chunk.page for chunk in cut if "page two" in chunk.text} == {2}
    assert [chunk.heading for chunk in cut][-1] == "Foxes > Dogs"
    assert [chunk.chunk_id for chunk in cut] == [
        chunk.chunk_id for chunk in chunks.cut(Reading("Animals", blocks, 2), 7)
    ]
