"""Web pages: their main text without navigation, advertisements and hidden parts (trafilatura)."""

import re
from pathlib import Path

import trafilatura

from bot.errors import UnreadableDocument
from ingest.readers.reading import Reading
from ingest.readers.text import decode, parse_markdown


def read_html(path: Path) -> Reading:
    """An HTML page."""
    source = decode(path.read_bytes(), path.name)
    # A caption would be taken for the table's header row.
    source = re.sub(r"<caption\b.*?</caption>", "", source, flags=re.DOTALL | re.IGNORECASE)
    text = trafilatura.extract(
        source, output_format="markdown", include_tables=True, include_comments=False, favor_recall=True
    )
    if not text:
        raise UnreadableDocument(f"'{path.name}' is a web page without any text of its own.")
    reading = parse_markdown(text)
    title = re.search(r"<title\b[^>]*>(.*?)</title>", source, flags=re.DOTALL | re.IGNORECASE)
    named = reading.title or (title.group(1).strip() if title else "")
    return Reading(named, reading.blocks)
