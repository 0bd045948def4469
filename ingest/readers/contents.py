"""Any file's content as a `Reading`: one reader a kind, chosen by the content, never by the name alone.

A reader is imported when its kind first comes up. The sandbox's nurseries have what they need before they fork, so
nothing in a reader may start a thread or open a file when it is imported.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.errors import UnreadableDocument
from ingest.readers import hidden, kinds
from ingest.readers.encoding import decode
from ingest.readers.reading import DEEPEST_HEADING, Block, Parcel, Reading, heading

SUPPORTED = "PDF, Word, PowerPoint, Excel, OpenDocument, HTML, Markdown or text"
MOST_CHARACTERS, MOST_BLOCKS = 20_000_000, 500_000
MOST_REFUSALS = 10

# Kinds that are read from bytes, and kinds that are read from text: module and function of each.
BINARY = {
    "pdf": "pdf.read_pdf",
    "docx": "word.read_docx",
    "pptx": "slides.read_pptx",
    "sheets": "sheets.read_sheets",
    "odt": "opendocument.read_opendocument",
    "epub": "epub.read_epub",
    "doc": "legacy.read_doc",
    "ppt": "legacy.read_ppt",
    "rtf": "legacy.read_rtf",
    "msg": "mail.read_msg",
    "mail": "mail.read_mail",
    "zip": "archive.read_zip",
    "image": "ocr.read_image",
}
TEXTUAL = {
    "text": "text.read_text",
    "markdown": "text.read_markdown",
    "rst": "legacy.read_rst",
    "org": "legacy.read_org",
    "html": "html.read_html",
    "xml": "xml.read_xml",
    "json": "data.read_json",
    "yaml": "data.read_yaml",
    "delimited": "delimited.read_delimited",
}

# What a nursery has loaded: readers of words alone, those of markup too, or all there are; each reads these samples.
WORDS, MARKUP, EVERYTHING = "words", "markup", "everything"
PLAIN = {
    "a.txt": b"Hours\n=====\n\nWe open at nine.\nOn Sundays we are closed.\n\nBring your receipt.",
    "a.md": "# Hours\n\nWe open at nine.\nOn Sundays we don\u2019t.\n\n## Prices\n\nIt is \u20ac5.".encode(),
}
MARKED = {
    "a.md": b"# Hours\n\n- We *open* at nine.\n- [Map](a.png)",
    "a.html": b"<html><body><h1>Hours</h1><p>We open at nine.</p></body></html>",
    "a.csv": b"Day,Opens\nMonday,9\n",
    "a.json": b'[{"day": "Monday"}]',
    "a.eml": b"From: a\nTo: b\nSubject: Hours\n\nWe open at nine.",
    "b.txt": "Wir \u00f6ffnen um neun Uhr.".encode("latin-1"),
}


def warm_up(kind: str) -> None:
    """Load the readers of a nursery and compile their patterns, so that what forks from this process need not."""
    for name, content in (*PLAIN.items(), *(() if kind == WORDS else MARKED.items())):
        read_content(content, name)
    for place in (*BINARY.values(), *TEXTUAL.values()) if kind == EVERYTHING else ():
        _reader(place)


def read(content: bytes, name: str) -> Reading:
    """What a file of any supported kind says. Raises `UnreadableDocument` with one sentence for the content owner."""
    return read_content(content, name)[1]


def read_content(content: bytes, name: str) -> tuple[str, Reading]:
    """The kind of a file and what it says."""
    if not content.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise UnreadableDocument(f"'{name}' is empty.")
    kind, found = _read(content, name)
    reading = hidden.cleaned(_unpacked(found) if isinstance(found, Parcel) else found)
    if not reading.blocks:
        raise UnreadableDocument(_nothing(name, kind, reading))
    return kind, _bounded(reading)


def _read(content: bytes, name: str) -> tuple[str, Reading | Parcel]:
    """Whatever a library raises is a sentence by the time it leaves here, but for running out of memory."""
    try:
        kind = kinds.binary_kind(content, name) or ""
        if kind == "locked":
            from ingest.readers.archive import locked  # only here: text has no password

            raise locked(name)
        if kind in BINARY:
            return kind, _reader(BINARY[kind])(content, name)
        written = None if kind else decode(content)
        if written is None:
            raise UnreadableDocument(f"'{name}' is of a kind that is not supported; save it as {SUPPORTED}.")
        if not written.strip():
            raise UnreadableDocument(f"'{name}' is empty.")
        kind = kinds.text_kind(written, name)
        if kind in BINARY:  # a mail, whose parts have encodings of their own, unless the file as a whole has one
            return kind, _reader(BINARY[kind])(written.encode() if b"\0" in content else content, name)
        return kind, _reader(TEXTUAL[kind])(written, name)
    except (UnreadableDocument, MemoryError):
        raise
    except RecursionError as error:
        raise UnreadableDocument(f"'{name}' is nested too deeply to be read; simplify it.") from error
    except Exception as error:
        raise UnreadableDocument(f"'{name}' is damaged or not what its content claims; export it again.") from error


def _reader(place: str) -> Callable[[Any, str], Reading | Parcel]:
    module, _, function = place.partition(".")
    reader: Callable[[Any, str], Reading | Parcel] = getattr(
        importlib.import_module(f"ingest.readers.{module}"), function
    )
    return reader


def _unpacked(parcel: Parcel) -> Reading:
    """A parcel's own blocks, then each part's under a heading with its name. A parcel in a parcel stays packed."""
    blocks, notes, refusals = list(parcel.reading.blocks), list(parcel.reading.notes), []
    for path, content in parcel.parts:
        name = hidden.shown(path)
        try:
            part = _part(content, name)
        except UnreadableDocument as error:
            refusals.append(f"Left out: {error}")
            continue
        blocks += [heading(f"{parcel.label}{name}", 1), *map(_deeper, part.blocks)]
        notes += [note for note in part.notes if note not in notes]
    if len(refusals) > MOST_REFUSALS:
        refusals[MOST_REFUSALS:] = [f"Left out: {len(refusals) - MOST_REFUSALS} further parts."]
    return replace(parcel.reading, blocks=tuple(blocks), notes=(*notes, *refusals))


def _part(content: bytes, name: str) -> Reading:
    if not content.strip():
        raise UnreadableDocument(f"'{name}' is empty.")
    kind, found = _read(content, name)
    if isinstance(found, Parcel):
        if kind == "zip":
            raise UnreadableDocument(f"'{name}' is an archive inside another; unpack it.")
        found = found.reading
    if not any(block.text.strip() for block in found.blocks):
        raise UnreadableDocument(_nothing(name, kind, found))
    return found


def _deeper(block: Block) -> Block:
    return (
        replace(block, level=min(block.level + 1, DEEPEST_HEADING), page=None)
        if block.level
        else replace(block, page=None)
    )


def _nothing(name: str, kind: str, reading: Reading) -> str:
    if kind in ("pdf", "image") and not reading.notes:
        from ingest.readers import ocr  # only here, since nothing else needs it

        why = (
            "no text was recognised in it either"
            if ocr.languages()
            else "a scan is only read where Tesseract is installed"
        )
        return f"'{name}' has no text layer, and {why}."
    why = f" {reading.notes[0]}" if reading.notes else ""
    return f"'{name}' has no text, so there is nothing to answer from.{why}"


def _bounded(reading: Reading) -> Reading:
    """A reading of at most so many characters; that there was more is said in a note."""
    left, kept = MOST_CHARACTERS, []
    for block in reading.blocks[:MOST_BLOCKS]:
        if left <= 0:
            break
        kept.append(block if len(block.text) <= left else replace(block, text=block.text[:left]))
        left -= len(block.text)
    if left >= 0 and len(kept) == len(reading.blocks):
        return reading
    note = f"Only the first {sum(len(block.text) for block in kept):,} characters were read; split the file."
    return replace(reading, blocks=tuple(kept), notes=(*reading.notes, note))
