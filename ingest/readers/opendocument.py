"""OpenDocument texts and presentations (ODT, ODP)."""

from collections.abc import Iterator
from typing import Any

from ingest.readers import archive, xml
from ingest.readers.reading import Block, Reading, first_heading, heading, table

TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
SPACES = {f"{TEXT}s": " ", f"{TEXT}tab": "\t", f"{TEXT}line-break": "\n"}
SKIPPED = {f"{TEXT}tracked-changes", f"{OFFICE}annotation", f"{TEXT}table-of-content", f"{OFFICE}forms"}


def read_opendocument(content: bytes, name: str) -> Reading:
    """An ODT file, or an ODP file with its slides as pages."""
    files = archive.opened(content, name)
    if b"encryption-data" in archive.member(files, "META-INF/manifest.xml", name):
        raise archive.locked(name)
    body = xml.parse(archive.member(files, "content.xml", name), name).find(f"{OFFICE}body")
    slides = [] if body is None else list(body.iter(f"{DRAW}page"))
    blocks = [] if body is None else list(_blocks(body, None))
    for number, slide in enumerate(slides, 1):
        blocks += [heading(f"Slide {number}: {slide.get(f'{DRAW}name') or ''}".rstrip(": "), 1, number)]
        blocks += _blocks(slide, number)
    return Reading(first_heading(blocks), tuple(blocks), len(slides) or None)


def _blocks(parent: Any, page: int | None) -> Iterator[Block]:
    for element in parent:
        if element.tag in SKIPPED or element.tag == f"{DRAW}page" or not isinstance(element.tag, str):
            continue
        if element.tag == f"{TEXT}h" and (text := _text(element)):
            yield heading(text, int(element.get(f"{TEXT}outline-level") or 1), page)
        elif element.tag == f"{TEXT}p":
            text = _text(element)
            yield from [Block("text", text, page=page)] if text else []
            for frame in element.iter(f"{DRAW}text-box"):
                yield from _blocks(frame, page)
        elif element.tag == f"{TABLE}table":
            yield from table(_cells(element), page)
        else:
            yield from _blocks(element, page)


def _text(element: Any) -> str:
    return "".join(_pieces(element)).strip()


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag in SPACES:
            yield SPACES[child.tag] * min(int(child.get(f"{TEXT}c") or 1), 20)
        elif child.tag == f"{TEXT}note":
            yield f" ({' '.join(xml.text_of(body) for body in child.iter(f'{TEXT}note-body'))})"
        elif child.tag not in SKIPPED and not str(child.tag).startswith(DRAW):
            yield from _pieces(child)
        yield child.tail or ""


def _cells(element: Any) -> list[list[str]]:
    grid = []
    for line in element.iter(f"{TABLE}table-row"):
        row: list[str] = []
        for cell in line.iter(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
            times = int(cell.get(f"{TABLE}number-columns-repeated") or 1)
            row += [" ".join(_text(part) for part in cell.iter(f"{TEXT}p", f"{TEXT}h"))] * min(times, 100)
        while row and not row[-1]:
            row.pop()
        grid.append(row)
    return grid
