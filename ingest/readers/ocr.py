"""Scanned pages and pictures of text, where the program Tesseract is installed (Debian: `tesseract-ocr`)."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading
from ingest.readers.text import read_text

MOST_PAGES = 20
MOST_LISTED = 10
MOST_PIXELS = 40_000_000
SECONDS_A_PAGE = 30
DOTS_PER_INCH = 200
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"


@cache
def languages() -> str:
    """What Tesseract can read here, as it wants to be told; empty where it is not installed."""
    if not shutil.which("tesseract", path=PROGRAMS):
        return ""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=20)
    known = [line for line in listed.stdout.splitlines()[1:] if line not in ("osd", "equ")]
    return "+".join(sorted(known, key=lambda language: language != "eng")[:4])


def read_image(content: bytes, name: str) -> Reading:
    """A picture of text, in any format that Tesseract itself opens."""
    if not languages():
        raise UnreadableDocument(
            f"'{name}' is of a kind that is not supported: a picture is only read where Tesseract is installed."
        )
    return Reading("", tuple(_recognised(content, None)))


def read_pages(document: Any, numbers: list[int]) -> tuple[list[Block], tuple[str, ...]]:
    """The blocks of a PDF's (pypdfium2) pages without text, and notes about them for the content owner."""
    if not languages():
        return [], (f"Pages without a text layer were left out: {_listed(numbers)}.",)
    blocks = [block for number in numbers[:MOST_PAGES] for block in _recognised(_picture(document[number - 1]), number)]
    notes = [f"Pages are scans, whose text was recognised and may hold mistakes: {_listed(numbers[:MOST_PAGES])}."]
    if len(numbers) > MOST_PAGES:
        notes.append(f"Further scanned pages were left out: {_listed(numbers[MOST_PAGES:])}.")
    return blocks, tuple(notes)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:MOST_LISTED])) + (" and more" if len(numbers) > MOST_LISTED else "")


def _picture(page: Any) -> bytes:
    """The page drawn in shades of grey, as a PGM file."""
    inches = max(page.get_width() * page.get_height() / 72**2, 1)
    drawn = page.render(scale=min(DOTS_PER_INCH, (MOST_PIXELS / inches) ** 0.5) / 72, grayscale=True)
    starts = range(0, drawn.height * drawn.stride, drawn.stride)
    lines = (bytes(drawn.buffer[start : start + drawn.width]) for start in starts)
    return b"P5 %d %d 255\n" % (drawn.width, drawn.height) + b"".join(lines)


def _recognised(picture: bytes, page: int | None) -> Iterator[Block]:
    """The paragraphs of one picture; none from one that takes too long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        result = subprocess.run(
            ["tesseract", "stdin", "stdout", "-l", languages()],
            input=picture,
            capture_output=True,
            timeout=SECONDS_A_PAGE,
            check=False,
            env={"PATH": PROGRAMS, "OMP_THREAD_LIMIT": "1"},
        )
        text = result.stdout.decode("utf-8", "replace").replace("\f", "")
        yield from (Block(block.kind, block.text, block.level, page) for block in read_text(text, "").blocks)
