"""PDF: kreuzberg for text, headings and pages; pypdf to tell an encrypted file from a broken one."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kreuzberg
import pypdf
from pypdf.errors import PyPdfError

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading

# Without these kreuzberg drops a heading that also stands on an earlier page.
CONFIG = kreuzberg.ExtractionConfig(
    output_format="markdown",
    pages=kreuzberg.PageConfig(extract_pages=True),
    content_filter=kreuzberg.ContentFilterConfig(strip_repeating_text=False, include_headers=True),
)
# A line shorter than this share of the page's longest lines ends its paragraph: a heading, a row, a last line.
FULL_LINE = 0.8


def read_pdf(path: Path) -> Reading:
    """A PDF with a text layer. Lines are joined into paragraphs; running headers and footers are left out."""
    _check(path)
    try:
        result = kreuzberg.extract_file_sync(str(path), config=CONFIG)
    except kreuzberg.KreuzbergError as error:
        raise UnreadableDocument(f"'{path.name}' is damaged and cannot be read; export it again.") from error
    pages = [(page["page_number"], page["content"].splitlines()) for page in result.pages or []]
    headings = {_key(line): len(marks) for marks, line in re.findall(r"^(#+) (.+)$", result.content, re.MULTILINE)}
    running = _running([lines for _, lines in pages])
    blocks = tuple(block for number, lines in pages for block in _blocks(number, lines, headings, running))
    return Reading(_title(result.metadata, blocks), blocks, len(pages))


def _check(path: Path) -> None:
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument(f"'{path.name}' is protected by a password; save it without one.")
    except (PyPdfError, OSError, ValueError, RecursionError) as error:
        raise UnreadableDocument(f"'{path.name}' is not a valid PDF; export it again.") from error


def _blocks(number: int, lines: list[str], headings: dict[str, int], running: set[str]) -> Iterator[Block]:
    full = FULL_LINE * sorted(len(line) for line in lines)[int(0.9 * (len(lines) - 1))] if lines else 0
    held = ""
    for line in (line.strip() for line in lines):
        level = headings.get(_key(line))
        if level or not line or _key(line) in running:
            if held:
                yield Block("text", held, page=number)
            held = ""
            if level and _key(line) not in running:
                yield Block("heading", line, level=level, page=number)
            continue
        held = f"{held} {line}".strip()
        if len(line) < full:
            yield Block("text", held, page=number)
            held = ""
    if held:
        yield Block("text", held, page=number)


def _running(pages: list[list[str]]) -> set[str]:
    """Lines that stand, numbers aside, on most pages: headers and footers."""
    seen = Counter(key for lines in pages for key in {_key(line) for line in lines})
    return {key for key, count in seen.items() if count > 1 and count > len(pages) / 2}


def _key(line: str) -> str:
    return re.sub(r"\W+|\d+", "", line).lower() or line


def _title(metadata: Any, blocks: tuple[Block, ...]) -> str:
    named = str(metadata.get("title") or "").strip()
    return named or next((block.text for block in blocks if block.kind == "heading"), "")
