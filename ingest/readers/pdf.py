"""PDF files (pypdfium2): their words with places, sizes and colours, which `layout` makes into blocks."""

import ctypes
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from bot.errors import UnreadableDocument
from ingest.readers import hidden, layout, ocr
from ingest.readers.archive import locked
from ingest.readers.layout import Page, Span
from ingest.readers.reading import Block, Reading, first_heading

MOST_PAGES = 5_000
TINY_POINTS = 2.0
# Brightness, of 255, from which letters are white, and from which what they stand on is.
WHITE, PAPER = 245, 235
BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
# What programs put there by themselves is no title.
JUNK_TITLE = re.compile(
    r"^(untitled|microsoft (word|powerpoint|excel)\b.*|.*\.(docx?|pptx?|xlsx?|indd|tex|pdf|odt))$", re.I
)
# Opacity, of 255, below which letters are not seen.
FAINT = 13
MOST_PIXELS = 1_000
# What pdfium gives for a hyphen at the end of a line, with the line end left out.
HYPHEN, SPACE, NO_BREAK_SPACE = 2, 32, 160

Box = tuple[float, float, float, float]


class _Word(NamedTuple):
    span: Span
    box: Box
    turns: int
    is_white: bool


def read_pdf(content: bytes, name: str) -> Reading:
    """A PDF. One without text goes through OCR where that is installed."""
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise locked(name) from error
        raise UnreadableDocument(f"'{name}' is damaged and not a valid PDF; export it again.") from error
    count = min(len(document), MOST_PAGES)
    found: set[str] = set()
    pages = [_page(document, number, found) for number in range(count)]
    blocks = [*layout.blocks(pages), *_fields(document, count)]
    notes = hidden.note(found)
    if len(document) > count:
        notes += (f"The pages after the first {count} were left out.",)
    scans = [page.number for page in pages if not page.words and (not blocks or _has_picture(document, page.number))]
    if scans and not (found and not blocks):
        recognised, told = ocr.read_pages(document, scans)
        blocks = sorted([*blocks, *recognised], key=lambda block: block.page or 0)
        notes += told if blocks else ()
    title = " ".join((document.get_metadata_value("Title") or "").split())
    named = _largest_heading(blocks) if not title or JUNK_TITLE.match(title) else title
    return Reading(named, tuple(blocks), len(document), notes)


def _largest_heading(blocks: list[Block]) -> str:
    """The largest heading of the first two pages, where a title page has it, else the first."""
    early = [b for b in blocks if b.kind == "heading" and (b.page or 0) <= 2 and len(b.text) > 5]
    return min(early, key=lambda block: block.level).text if early else first_heading(blocks)


def _has_picture(document: Any, number: int) -> bool:
    try:
        return any(True for _ in document[number - 1].get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
    except pdfium.PdfiumError:
        return False


def _page(document: Any, number: int, found: set[str]) -> Page:
    """The words of a page that a reader of the page can see; what kinds of hidden ones there were goes to `found`."""
    try:
        page = document[number]
        text = page.get_textpage()
    except pdfium.PdfiumError:  # one broken page; the others may be fine
        return Page(number + 1, 0, [])
    left, bottom, right, top = bounds = page.get_bbox()
    words = list(_words(text, bounds))
    blank = _blank([word.box for word in words if word.is_white], page)
    seen = []
    for word in words:
        x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
        if not (left <= x <= right and bottom <= y <= top):
            found.add("text outside its page")
        elif word.box in blank or word.span.height < TINY_POINTS:
            found.add("white text" if word.box in blank else "tiny text")
        else:
            seen.append(word)
    lies = sum(word.turns % 2 for word in seen) > len(seen) / 2
    return Page(number + 1, right - left if lies else top - bottom, [word.span for word in seen])


def _words(text: Any, bounds: Box) -> Iterator[_Word]:
    """The words in the order in which the file draws them."""
    start, letters = 0, ""
    for at in range(raw.FPDFText_CountChars(text)):
        code = raw.FPDFText_GetUnicode(text, at)
        if code > SPACE and code != NO_BREAK_SPACE:
            start = start if letters else at
            letters += chr(code)
        elif letters:
            yield _word(letters + ("-" if code == HYPHEN else ""), text, start, at - 1, bounds)
            letters = ""
    if letters:
        yield _word(letters, text, start, start + len(letters) - 1, bounds)


def _word(letters: str, text: Any, first: int, last: int, bounds: Box) -> _Word:
    one, other = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, first, one)  # as high as the font, so the same for all words of a line
    raw.FPDFText_GetLooseCharBox(text, last, other)
    box = (
        min(one.left, other.left),
        min(one.bottom, other.bottom),
        max(one.right, other.right),
        max(one.top, other.top),
    )
    font = ctypes.create_string_buffer(100)
    raw.FPDFText_GetFontInfo(text, first, font, 100, None)
    turns = round(raw.FPDFText_GetCharAngle(text, first) / (math.pi / 2)) % 4
    left, bottom, right, top = _turned(box, turns, bounds)
    is_bold = bool(BOLD.search(font.value.decode("latin-1")))
    span = Span(letters, left, bottom, right, top, _size(text, first, top - bottom), is_bold, last_right=right)
    return _Word(span, box, turns, _is_white(text, first))


def _is_white(text: Any, at: int) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    raw.FPDFText_GetFillColor(text, at, red, green, blue, alpha)
    return min(red.value, green.value, blue.value) >= WHITE or alpha.value < FAINT


def _size(text: Any, at: int, box_height: float) -> float:
    """The size of a letter's font as drawn. Boxes differ between the fonts of one line; sizes do not."""
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(text, at, matrix)
    size = raw.FPDFText_GetFontSize(text, at) * math.hypot(matrix.c, matrix.d)
    return size if 0.4 * box_height < size < 2.5 * box_height else box_height


def _boxes(text: Any, first: int, last: int) -> Box:
    """The box around a word, as high as its font, so that it is the same for all words of a line."""
    one, other = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, first, one)
    raw.FPDFText_GetLooseCharBox(text, last, other)
    return (
        min(one.left, other.left),
        min(one.bottom, other.bottom),
        max(one.right, other.right),
        max(one.top, other.top),
    )


def _turned(box: Box, turns: int, page: Box) -> Box:
    """The box on a page turned so that its text runs from left to right. Turns are quarters, clockwise."""
    left, bottom, right, top = box[0] - page[0], box[1] - page[1], box[2] - page[0], box[3] - page[1]
    width, height = page[2] - page[0], page[3] - page[1]
    if turns == 1:
        return height - top, left, height - bottom, right
    if turns == 2:
        return width - right, height - top, width - left, height - bottom
    return (bottom, width - right, top, width - left) if turns == 3 else (left, bottom, right, top)


def _blank(boxes: list[Box], page: Any) -> set[Box]:
    """Of these boxes of white words the ones where the page, once drawn, is all white."""
    if not boxes:
        return set()
    scale = min(1.0, MOST_PIXELS / max(*page.get_size(), 1))
    picture = page.render(scale=scale, grayscale=True)
    return {box for box in boxes if _is_blank(picture, page, box)}


def _is_blank(picture: Any, page: Any, box: Box) -> bool:
    corners = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, picture.width, picture.height, 0, x, y, across, down)
        corners.append((across.value, down.value))
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners, strict=True))
    left, right = max(left, 0), min(right + 1, picture.width)
    lines = range(max(top, 0) * picture.stride, min(bottom + 1, picture.height) * picture.stride, picture.stride)
    return all(min(picture.buffer[line + left : line + right], default=WHITE) >= PAPER for line in lines)


def _fields(document: Any, count: int) -> list[Block]:
    """The filled-in fields of a form, as rows."""
    document.init_forms()
    if document.formenv is None:
        return []
    form = document.formenv.raw
    blocks = []
    for number in range(count):
        page = document[number]
        for at in range(raw.FPDFPage_GetAnnotCount(page)):
            mark = raw.FPDFPage_GetAnnot(page, at)
            name, value = (
                _string(read, form, mark) for read in (raw.FPDFAnnot_GetFormFieldName, raw.FPDFAnnot_GetFormFieldValue)
            )
            if name and value and value != "Off":
                blocks.append(Block("row", f"{name}: {value}", page=number + 1))
            raw.FPDFPage_CloseAnnot(mark)
    return blocks


def _string(read: Any, form: Any, mark: Any) -> str:
    size = read(form, mark, None, 0)
    held = (ctypes.c_ushort * (size // 2 + 1))()
    read(form, mark, held, size)
    return bytes(held).decode("utf-16-le", "replace").split("\0")[0].strip()
