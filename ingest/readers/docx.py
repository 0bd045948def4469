"""Word documents (python-docx). kreuzberg is faster but loses every "&" of a document's text."""

import re
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading, rows


def read_docx(path: Path) -> Reading:
    """A DOCX file: headings by their style, tables row by row. Its pages are only known to a word processor."""
    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise UnreadableDocument(f"'{path.name}' is damaged; open it in a word processor and save it again.") from error
    blocks = tuple(block for part in document.iter_inner_content() for block in _blocks(part))
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Reading(first or document.core_properties.title, blocks)


def _blocks(part: Paragraph | Table) -> Iterator[Block]:
    if isinstance(part, Table):
        header, *body = [[cell.text.strip() for cell in row.cells] for row in part.rows]
        yield from rows(header, body)
    elif part.text.strip():
        style = part.style.name if part.style and part.style.name else ""
        level = re.fullmatch(r"(?:Heading (\d)|Title)", style)
        text = part.text.strip()
        yield Block("heading", text, level=int(level.group(1) or 1)) if level else Block("text", text)
