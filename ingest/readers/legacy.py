"""Formats that kreuzberg reads best: Word and PowerPoint files of before 2007, RTF, reStructuredText and Org."""

import re

import kreuzberg

from bot.errors import UnreadableDocument
from ingest.readers import hidden
from ingest.readers.archive import locked
from ingest.readers.reading import Reading
from ingest.readers.text import read_markdown, read_text


def read_doc(content: bytes, name: str) -> Reading:
    """A DOC file: a paragraph a line, with what stands behind its links left out."""
    plain = _extracted(content, name, "application/msword", "plain")
    return read_text(re.sub(r'HYPERLINK "[^"]*"', "", plain).replace("\n", "\n\n"), name)


def read_ppt(content: bytes, name: str) -> Reading:
    """A PPT file."""
    return _read(content, name, "application/vnd.ms-powerpoint")


def read_rtf(content: bytes, name: str) -> Reading:
    """An RTF file; its hidden text stays out."""
    found = _read(content, name, "application/rtf")
    concealed = re.search(rb"\\v[ \\]", content)
    return Reading(found.title, found.blocks, notes=hidden.note(["text formatted as hidden"] if concealed else []))


def read_rst(text: str, name: str) -> Reading:
    """A reStructuredText file."""
    return _read(text.encode(), name, "text/x-rst")


def read_org(text: str, name: str) -> Reading:
    """An Org file."""
    return _read(text.encode(), name, "text/x-org")


def _read(content: bytes, name: str, kind: str) -> Reading:
    return read_markdown(_extracted(content, name, kind, "markdown"), name)


def _extracted(content: bytes, name: str, kind: str, form: str) -> str:
    # Nothing is kept in kreuzberg's cache, and nothing is looked at as a picture.
    config = kreuzberg.ExtractionConfig(output_format=form, use_cache=False, disable_ocr=True)  # type: ignore[call-arg]
    try:
        return str(kreuzberg.extract_bytes_sync(content, kind, config=config).content)
    except kreuzberg.KreuzbergError as error:
        if "encrypt" in str(error).lower() or "password" in str(error).lower():
            raise locked(name) from error
        what = "is damaged; open it in the program it came from and save it again."
        raise UnreadableDocument(f"'{name}' {what}") from error
