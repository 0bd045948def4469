"""Formats that kreuzberg reads best: Word and PowerPoint files of before 2007, RTF, reStructuredText and Org."""

import re

import kreuzberg

from bot.errors import UnreadableDocument
from ingest.readers import hidden
from ingest.readers.archive import locked
from ingest.readers.reading import Reading
from ingest.readers.text import read_markdown

# Read alone, the file keeps no copy in kreuzberg's cache, and nothing is looked at as a picture.
CONFIG = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False, disable_ocr=True)
# Bit 8 of the flags at offset 10 of a Word file, MS-DOC 2.5.2: the text is encrypted.
ENCRYPTED_DOC = 0x100


def read_doc(content: bytes, name: str) -> Reading:
    """A DOC file."""
    return _read(content, name, "application/msword")


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
    try:
        result = kreuzberg.extract_bytes_sync(content, kind, config=CONFIG)
    except kreuzberg.KreuzbergError as error:
        if "encrypt" in str(error).lower() or "password" in str(error).lower():
            raise locked(name) from error
        raise UnreadableDocument(
            f"'{name}' is damaged; open it in the program it came from and save it again."
        ) from error
    return read_markdown(result.content, name)
