"""Files made to break their reader. Each ends as text or as one true sentence; none kills the sandbox."""

import io
import json
import random
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import docx
import pptx
import pytest
import xlsxwriter

from bot.errors import ReaderKilled, UnreadableDocument
from ingest import sample, sandbox

PATIENCE = 40
PARAGRAPH = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {after} '{f'&{before};' * 10}'>" for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)


def zipped(**members: bytes | str) -> bytes:
    """An archive of members whose names have a double underscore for each slash and a single one for each dot."""
    return zipped_as({name.replace("__", "/").replace("_", "."): content for name, content in members.items()})


def zipped_as(members: dict[str, bytes | str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


def word(words: str = "Linden & Lark opens at nine.") -> bytes:
    document = docx.Document()
    document.add_heading("Opening hours", 1)
    document.add_paragraph(words)
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def slides() -> bytes:
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[0]).shapes.title.text = "Opening & closing"
    held = io.BytesIO()
    show.save(held)
    return held.getvalue()


def sheet(cells: list[list[object]]) -> bytes:
    held = io.BytesIO()
    with xlsxwriter.Workbook(held) as book:
        page = book.add_worksheet()
        for number, row in enumerate(cells):
            page.write_row(number, 0, row)
    return held.getvalue()


def with_member(archive: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with one member changed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return zipped_as({n: change(files.read(n)) if n == name else files.read(n) for n in files.namelist()})


def word_of(body: bytes) -> bytes:
    return with_member(word(), "word/document.xml", lambda _: body)


def document_of(body: str, before: str = "") -> bytes:
    return f"{before}<w:document {WORD}><w:body>{body}</w:body></w:document>".encode()


def pdf(*objects: bytes, pages: int = 1, kids: bytes = b"3 0 R") -> bytes:
    """A PDF without a table of its objects, which viewers rebuild."""
    head = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids), *objects]
    return (
        b"%PDF-1.7\n"
        + b"".join(b"%d 0 obj%s endobj\n" % (n, body) for n, body in enumerate(head, 1))
        + (b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (len(head) + 1))
    )


def page(stream: bytes, options: bytes = b"", extra: bytes = b"") -> tuple[bytes, bytes, bytes]:
    return (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>"
        + extra
        + b">>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(stream), options, stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def deflated(stream: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        stream = zlib.compress(stream, 9)
    return stream


XXE = '<!DOCTYPE x [<!ENTITY leak SYSTEM "file:///etc/passwd">]>'
TEXT_ON_PAGE = b"BT /F 12 Tf 50 700 Td (We open at nine.) Tj ET"
COLUMNS = ",".join(f"column {n}" for n in range(100_000))

REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bomb.zip": ("far more than its size", lambda: zipped(a_txt=b"0" * 150_000_000)),
    "crowd.zip": ("more than 2,000 files", lambda: zipped_as({f"{n}.txt": "x" for n in range(2_001)})),
    "bomb.docx": (
        "far more than its size",
        lambda: word_of(document_of(PARAGRAPH.format("bomb") * 4_000_000)),
    ),
    "bomb.xlsx": (
        "far more than its size",
        lambda: with_member(sheet([[1]]), "xl/worksheets/sheet1.xml", lambda body: body + b" " * 120_000_000),
    ),
    "corners.xlsx": (
        "cells too far apart",
        lambda: with_member(
            sheet([[1]]),
            "xl/worksheets/sheet1.xml",
            lambda _: (
                b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
                b"</sheetData></worksheet>"
            ),
        ),
    ),
    "locked.zip": ("protected by a password", lambda: locked(zipped(a_txt="secret"))),
    "deep.json": ("nested too deeply", lambda: b"[" * 200_000 + b"]" * 200_000),
    "deep.xml": ("not valid XML", lambda: b"<a>" * 100_000 + b"</a>" * 100_000),
    "deep.html": ("nested too deeply", lambda: b"<html><body>" + b"<div>" * 50_000 + b"inside"),
    "laughs.docx": (
        "damaged",
        lambda: word_of(document_of(PARAGRAPH.format("&j;"), f"{LAUGHS}]>")),
    ),
    "laughs.xml": ("entities", lambda: f"{LAUGHS}]><x>&j;</x>".encode()),
    "laughs.svg": (
        "entities",
        lambda: f"{LAUGHS}]><svg xmlns='http://www.w3.org/2000/svg'><text>&j;</text></svg>".encode(),
    ),
    "outside.xml": ("entities", lambda: f"<?xml version='1.0'?>{XXE}<x>&leak;</x>".encode()),
    "laughs.odt": ("entities", lambda: open_document(f"{LAUGHS}]><x>&j;</x>")),
    "nested.zip": ("archive inside another", lambda: zipped(a_zip=zipped(b_txt="hello"))),
    "binary.txt": ("not supported", lambda: bytes(random.Random(1).randbytes(5_000))),
    "zeros.txt": ("is empty", lambda: b"\0" * 10_000),
    "program.pdf": ("not supported", lambda: b"MZ\x90\0\x03\0\0\0" + bytes(5_000)),
    "song.md": ("not supported", lambda: b"ID3\x04\0\0\0\0\x02\x00" + random.Random(2).randbytes(5_000)),
    "loop.pdf": ("no text layer|damaged", lambda: pdf(kids=b"2 0 R 2 0 R", pages=9)),
    "many-pages.pdf": ("no text layer|damaged", lambda: pdf(*page(b""), pages=2_000_000_000)),
    "bomb.pdf": (
        "no text layer",
        lambda: pdf(*page(deflated(b" " * 100_000_000, 2), b"/Filter[/FlateDecode/FlateDecode]")),
    ),
    "recursive.pdf": (
        "no text layer",
        lambda: pdf(
            *page(b"/X Do", extra=b"/XObject<</X 6 0 R>>"),
            b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>/Length 5>>"
            b"stream\n/X Do\nendstream",
        ),
    ),
}

READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "outside.docx": (
        "before",
        lambda: word_of(document_of(PARAGRAPH.format("before &leak;"), XXE)),
    ),
    "climb.zip": ("hello", lambda: zipped_as({"../../x.txt": "hello", "/etc/y.txt": "goodbye"})),
    "deep.md": ("***", lambda: b"> " * 20_000 + b"inside\n\n" + b"[" * 20_000 + b"*" * 20_000),
    "wide.csv": ("left out", lambda: f"{COLUMNS}\n{COLUMNS}\n".encode()),
    "formula.csv": ("=cmd|' /C calc'!A0", lambda: b"name,value\nx,=cmd|' /C calc'!A0\n"),
    "long-line.txt": ("word", lambda: b"word " * 10_000_000),
    "long-word.txt": ("aaa", lambda: b"a" * 10_000_000),
    "aliases.yaml": ("lol", lambda: yaml_bomb()),
    "garbage-first.pdf": ("We open at nine.", lambda: b"HTTP/1.1 200 OK\r\n\r\n" + pdf(*page(TEXT_ON_PAGE))),
    "garbage-last.pdf": ("We open at nine.", lambda: pdf(*page(TEXT_ON_PAGE)) + b"\0" * 5_000),
    "claims-to-be.txt": ("We open at nine.", lambda: pdf(*page(TEXT_ON_PAGE))),
    "claims-to-be.pdf": ("We open", lambda: b"We open at nine."),
    "no-extension": ("Linden & Lark", word),
    "cell.xlsx": ("=", lambda: sheet([["name", "formula"], ["x", "'=1+1"]])),
    "wide-script.txt": ("שלום", lambda: "שלום עולם\u202eevil".encode()),
    "many.json": ("value", lambda: json.dumps([{"key": f"value {n}"} for n in range(150_000)]).encode()),
}


def locked(archive: bytes) -> bytes:
    """The archive with the flag of encryption set on its first member."""
    head, directory = archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8
    changed = bytearray(archive)
    changed[head] |= 1
    changed[directory] |= 1
    return bytes(changed)


def open_document(content: str) -> bytes:
    return zipped_as(
        {"mimetype": "application/vnd.oasis.opendocument.text", "META-INF/manifest.xml": "<x/>", "content.xml": content}
    )


def yaml_bomb() -> bytes:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [
        f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    sentence, content = REFUSED[name]
    place = tmp_path / name
    place.write_bytes(content())
    with pytest.raises(UnreadableDocument, match=sentence) as refusal:
        sandbox.read(place, PATIENCE)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", READ)
def test_a_hostile_file_gives_its_text_and_nothing_else(name: str, tmp_path: Path) -> None:
    words, content = READ[name]
    place = tmp_path / name
    place.write_bytes(content())
    reading = sandbox.read(place, PATIENCE)
    text = "\n".join([*(block.text for block in reading.blocks), *reading.notes])
    assert words in text
    assert "root:" not in text and "haha" not in text and "\u202e" not in text


def test_a_name_cannot_turn_its_sentence_around(tmp_path: Path) -> None:
    place = tmp_path / "invoice\u202efdp\n.exe"
    place.write_bytes(b"MZ\x90\0\x03\0\0\0")
    with pytest.raises(UnreadableDocument, match=r"^'invoicefdp \.exe' is of a kind that is not supported"):
        sandbox.read(place)


def test_a_worker_loads_no_parser() -> None:
    program = "import sys, ingest.sandbox; print([m for m in ('lxml', 'kreuzberg', 'pypdfium2') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def good_files() -> dict[str, bytes]:
    made = {
        "made.docx": word(),
        "made.pptx": slides(),
        "made.xlsx": sheet([["a", "b"], [1, 2]]),
        "made.zip": zipped(a_txt="hello"),
        "made.json": b'[{"a": 1}, {"a": 2}]',
        "made.xml": b"<a><b>text</b></a>",
        "made.eml": b"From: a@b.example\nTo: c@d.example\nSubject: Hours\n\nWe open at nine.",
        "made.rtf": rb"{\rtf1\ansi We open at nine\par}",
    }
    return made | {path.name: path.read_bytes() for path in sample.paths() if path.suffix == ".pdf"}


@pytest.mark.parametrize("name", good_files())
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_read_or_refused(name: str, share: float, tmp_path: Path) -> None:
    whole = good_files()[name]
    assert_ends_well(tmp_path / name, whole[: int(len(whole) * share)])


@pytest.mark.parametrize("name", good_files())
def test_a_file_with_flipped_bytes_is_read_or_refused(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    for _ in range(5):
        content = bytearray(good_files()[name])
        for _ in range(20):
            content[chance.randrange(len(content))] = chance.randrange(256)
        assert_ends_well(tmp_path / name, bytes(content))


@pytest.mark.parametrize(
    "magic",
    [b"%PDF-1.7\n", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf1", b"\x89PNG\r\n\x1a\n",
     b"\xff\xd8\xff\xe0", b"<?xml version='1.0'?>", b"<html>", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"\x1f\x8b"],
)  # fmt: skip
def test_random_bytes_after_any_magic_number_are_read_or_refused(magic: bytes, tmp_path: Path) -> None:
    assert_ends_well(tmp_path / "random.bin", magic + random.Random(magic).randbytes(20_000))


def assert_ends_well(place: Path, content: bytes) -> None:
    """The file is read, or refused in one sentence that names it."""
    place.write_bytes(content)
    try:
        assert sandbox.read(place, PATIENCE).blocks
    except ReaderKilled as error:
        raise AssertionError(f"the reader was killed: {error}") from error
    except UnreadableDocument as refusal:
        assert place.name in str(refusal) and "\n" not in str(refusal)
