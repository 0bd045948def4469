"""Scanned pages and pictures of text, where the program Tesseract is installed (Debian: `tesseract-ocr`)."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

from PIL import Image

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading
from ingest.readers.text import read_text

MOST_PAGES = 20
MOST_PIXELS = 40_000_000
SECONDS_A_PAGE = 30
DOTS_PER_INCH = 200


@cache
def languages() -> str:
    """What Tesseract can read here, as it wants to be told; empty where it is not installed."""
    if not shutil.which("tesseract"):
        return ""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=20)
    known = [line for line in listed.stdout.splitlines()[1:] if line not in ("osd", "equ")]
    return "+".join(sorted(known, key=lambda language: language != "eng")[:4])


def read_image(content: bytes, name: str) -> Reading:
    """A picture of text."""
    if not languages():
        raise UnreadableDocument(f"'{name}' is of a kind that is not supported: a picture has no text layer.")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open(io.BytesIO(content)) as picture:
        return Reading("", tuple(recognised(picture.convert("L"), None)))


def read_pages(document: Any) -> tuple[list[Block], tuple[str, ...]]:
    """The blocks of a scanned PDF (a pypdfium2 document), and notes about what was left out."""
    if not languages():
        return [], ()
    blocks: list[Block] = []
    for number in range(min(len(document), MOST_PAGES)):
        page = document[number]
        scale = min(DOTS_PER_INCH / 72, (MOST_PIXELS / max(page.get_width() * page.get_height(), 1)) ** 0.5)
        blocks += recognised(page.render(scale=scale, grayscale=True).to_pil(), number + 1)
    notes = ["The pages are scans; their text was recognised and may hold mistakes."]
    if len(document) > MOST_PAGES:
        notes.append(f"The pages after the first {MOST_PAGES} are scans too and were left out.")
    return blocks, tuple(notes)


def recognised(picture: Any, page: int | None) -> Iterator[Block]:
    """The paragraphs of one picture."""
    held = io.BytesIO()
    picture.save(held, "PNG")
    try:
        result = subprocess.run(
            ["tesseract", "stdin", "stdout", "-l", languages()],
            input=held.getvalue(),
            capture_output=True,
            timeout=SECONDS_A_PAGE,
            check=False,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "OMP_THREAD_LIMIT": "1"},
        )
    except subprocess.TimeoutExpired:
        return
    for block in read_text(result.stdout.decode("utf-8", "replace").replace("\f", ""), "").blocks:
        yield Block(block.kind, block.text, block.level, page)
