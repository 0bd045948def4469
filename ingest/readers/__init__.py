"""What a file says: one reader a kind, chosen by the file's content, never by its name alone.

A reader turns a file into a `Reading`: blocks in reading order, each with its page. Readers run in the sandbox.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path

from bot.errors import UnreadableDocument
from ingest.readers.reading import Reading

SUPPORTED = "Markdown, text, HTML, PDF and DOCX"


def read(path: Path) -> Reading:
    """Read a file of any supported kind. Raises `UnreadableDocument` with one sentence for the content owner."""
    reading = _reader(path)(path)
    if not any(block.text.strip() for block in reading.blocks):
        why = "no text layer; it may be a scan" if reading.pages else "no text"
        raise UnreadableDocument(f"'{path.name}' has {why}, so there is nothing to answer from.")
    return reading


def _reader(path: Path) -> Callable[[Path], Reading]:
    # Each reader is imported only when its kind comes up: a text file need not wait for the PDF machinery.
    with path.open("rb") as file:
        head = file.read(2048)
    if not head.strip():
        raise UnreadableDocument(f"'{path.name}' is empty.")
    if head.startswith(b"%PDF-"):
        from ingest.readers.pdf import read_pdf

        return read_pdf
    if head.startswith(b"PK"):
        return _office(path)
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableDocument(f"'{path.name}' is of a kind that is not supported; save it as {SUPPORTED}.")
    if _looks_like_html(head):
        from ingest.readers.html import read_html

        return read_html
    from ingest.readers.text import read_markdown, read_text

    return read_markdown if path.suffix.lower() in (".md", ".markdown") else read_text


def _office(path: Path) -> Callable[[Path], Reading]:
    if zipfile.is_zipfile(path) and "word/document.xml" in zipfile.ZipFile(path).namelist():
        from ingest.readers.docx import read_docx

        return read_docx
    raise UnreadableDocument(f"'{path.name}' is of a kind that is not supported; save it as {SUPPORTED}.")


def _looks_like_html(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start
