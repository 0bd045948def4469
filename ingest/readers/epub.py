"""E-books (EPUB): the chapters of the spine, in order."""

import posixpath
from typing import Any
from urllib.parse import unquote

from bot.errors import UnreadableDocument
from ingest.readers import archive, html, xml
from ingest.readers.encoding import decode
from ingest.readers.reading import Block, Reading, first_heading

CONTAINER = "META-INF/container.xml"


def read_epub(content: bytes, name: str) -> Reading:
    """An EPUB file."""
    files = archive.opened(content, name)
    if "META-INF/encryption.xml" in files.namelist() and "META-INF/rights.xml" in files.namelist():
        raise archive.locked(name)
    root = next(xml.parse(archive.member(files, CONTAINER, name), name).iter("{*}rootfile"), None)
    if root is None:
        raise UnreadableDocument(f"'{name}' is damaged: it has no table of its parts; save it again.")
    place = root.get("full-path") or ""
    package = xml.parse(archive.member(files, place, name), name)
    titles = [xml.text_of(title) for title in package.iter("{*}title")]
    blocks: list[Block] = []
    notes: dict[str, None] = {}
    for path in _spine(package, posixpath.dirname(place)):
        if path in files.namelist():
            chapter = html.reading(decode(archive.member(files, path, name)) or "")
            blocks += chapter.blocks
            notes |= dict.fromkeys(chapter.notes)
    return Reading(titles[0] if titles else first_heading(blocks), tuple(blocks), notes=tuple(notes))


def _spine(package: Any, folder: str) -> list[str]:
    items = {item.get("id"): unquote(item.get("href") or "") for item in package.iter("{*}item")}
    order = [items.get(entry.get("idref"), "") for entry in package.iter("{*}itemref")]
    return [posixpath.normpath(posixpath.join(folder, path)) for path in order if path]
