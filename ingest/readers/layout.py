"""From words on a page to headings, paragraphs and table rows, by where and how large they stand.

Coordinates are points (1/72 inch) from the lower left corner. Words come in the order in which the file draws them,
which is the reading order in nearly all files: column by column, and in tables cell by cell.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.readers.reading import Block, heading, table

# Gaps and offsets are in heights of the letters around them.
WORD_GAP = 1.3
BULLET_GAP = 5.0
LINE_GAP = 1.1
LARGE = 1.15
LONGEST_HEADING = 160
MOST_LINES_IN_CELL = 8
MARGIN = 0.12
# Symbol fonts put their bullets at F000 to F0FF.
BULLET = re.compile(r"([•●○▪■◦‣–*·\uf000-\uf0ff-]|\(?\d{1,2}[.)]|\(?[a-z][.)])(\s|$)")

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")


@dataclass(slots=True)
class Span:
    """Words that stand side by side, or, as a paragraph or a cell, lines that stand below one another."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    height: float
    is_bold: bool
    lines: int = 1
    # How far its last line reaches; in Hebrew and Arabic mirrored.
    last_right: float = 0.0

    def beside(self, other: "Span") -> bool:
        """Whether the other stands on about the same line."""
        shared = min(self.top, other.top) - max(self.bottom, other.bottom)
        return shared > 0.5 * min(self.top - self.bottom, other.top - other.bottom)


@dataclass(frozen=True)
class Page:
    """A page's number, height and words."""

    number: int
    height: float
    words: list[Span]


def blocks(pages: list[Page]) -> list[Block]:
    """The blocks of a document. A line that runs along at the top or bottom of its pages is kept once, or, where it
    numbers them, not at all."""
    found = [(page, _segments(page.words)) for page in pages]
    found = _without_running(found) or found
    sizes = Counter[float]()
    for segment in (segment for _, segments in found for segment in segments):
        sizes[_size(segment)] += len(segment.text)
    body = max(sizes, key=lambda size: sizes[size], default=0)
    larger = sorted((size for size in sizes if size >= body * LARGE), reverse=True)
    levels = {size: min(rank, 4) for rank, size in enumerate(larger, 1)}
    return [block for page, segments in found for block in _page(segments, page.number, levels)]


def _page(segments: list[Span], number: int, levels: dict[float, int]) -> Iterator[Block]:
    for group in _tables(_paragraphs(segments)):
        if isinstance(group, list):
            yield from table(_grid(group), number)
        elif _is_heading(group, levels):
            yield heading(group.text, levels.get(_size(group), min(len(levels), 4) + 1), number)
        else:
            yield Block("text", group.text, page=number)


def _segments(words: list[Span]) -> list[Span]:
    """Words joined into lines; a wide gap, as between cells, begins a new one."""
    found: list[Span] = []
    for word in words:
        last = found[-1] if found else None
        tall = max(word.height, last.height) if last else 0
        gap = _gap(last, word) if last else 0
        widest = BULLET_GAP if last and BULLET.fullmatch(last.text) else WORD_GAP
        if last and last.beside(word) and -0.5 * tall < gap < widest * tall:
            _extend(last, word, " " if gap > 0.08 * tall else "")
        else:
            found.append(word)
    return found


def _gap(span: Span, word: Span) -> float:
    """The space between a word and the one before, which is on its right where Hebrew or Arabic is written."""
    return span.left - word.right if RIGHT_TO_LEFT.search(word.text) else word.left - span.right


def _extend(span: Span, other: Span, glue: str) -> None:
    if len(other.text) > len(span.text):
        span.height, span.is_bold = other.height, other.is_bold
    span.text += glue + other.text
    span.left, span.bottom = min(span.left, other.left), min(span.bottom, other.bottom)
    span.right, span.top = max(span.right, other.right), max(span.top, other.top)
    mirrored = RIGHT_TO_LEFT.search(other.text)
    span.last_right = span.right - (other.left - span.left) if mirrored else other.right


def _paragraphs(segments: list[Span]) -> list[Span]:
    """Lines joined where a sentence goes on, in paragraphs and in cells alike."""
    found: list[Span] = []
    for segment in segments:
        if found and _goes_on(found[-1], segment):
            last = found[-1]
            hyphenated = re.search(r"\w-$", last.text)
            if hyphenated and segment.text[:1].islower():
                last.text = last.text[:-1]
            _extend(last, segment, "" if hyphenated else " ")
            last.lines += 1
        else:
            found.append(segment)
    return found


def _goes_on(above: Span, line: Span) -> bool:
    gap = above.bottom - line.top
    tall = max(above.height, line.height)
    if not -0.6 * tall < gap < LINE_GAP * tall or abs(above.height - line.height) > 0.12 * tall:
        return False
    if above.is_bold != line.is_bold or BULLET.match(line.text):
        return False
    if line.right < above.left or line.left > above.right:
        return False
    centred = abs((above.left + above.right) - (line.left + line.right)) < tall
    indent = 4 * tall if BULLET.match(above.text) else 1.5 * tall
    aligned = line.left - above.left < indent and above.left - line.left < 4 * tall
    # Had the first word of this line fitted on the line above, it would stand there.
    first = (line.right - line.left) * len(line.text.split(maxsplit=1)[0]) / len(line.text)
    room = max(above.right, line.right) - above.last_right
    return (aligned or centred) and (
        room < first + 1.5 * tall
        or (not re.search(r"[.!?:;]$", above.text) and room < 0.45 * (above.right - above.left))
    )


def _tables(paragraphs: list[Span]) -> Iterator[Span | list[list[Span]]]:
    """Paragraphs one by one, and tables as lists of rows of cells."""
    rows: list[list[Span]] = []
    for paragraph in paragraphs:
        if rows and _next_cell(rows[-1], paragraph):
            rows[-1].append(paragraph)
        else:
            rows.append([paragraph])
    held: list[list[Span]] = []
    for row in rows:
        if held and _same_table(held, row):
            held.append(row)
            continue
        yield from _released(held)
        held = [row]
    yield from _released(held)


def _next_cell(row: list[Span], cell: Span) -> bool:
    last = row[-1]
    return (
        cell.left > last.right
        and max(cell.lines, last.lines) <= MOST_LINES_IN_CELL
        and min(last.top, cell.top) - max(last.bottom, cell.bottom) > 0.4 * min(last.height, cell.height)
    )


def _same_table(held: list[list[Span]], row: list[Span]) -> bool:
    """Whether a row stands closely below the others, its cells below theirs."""
    widest = max(held, key=len)
    if len(widest) < 2 or (len(row) < 2 and len(widest) < 3):
        return False
    gap = min(cell.bottom for cell in held[-1]) - max(cell.top for cell in row)
    below = all(sum(_overlap(cell, other) for other in widest) == 1 for cell in row)
    return below and -0.7 * row[0].height < gap < 3 * row[0].height


def _overlap(cell: Span, other: Span) -> bool:
    return min(cell.right, other.right) > max(cell.left, other.left)


def _released(held: list[list[Span]]) -> Iterator[Span | list[list[Span]]]:
    """A table if it is one, else its paragraphs."""
    if len(held) > 1 and sum(len(row) > 1 for row in held) > 1:
        yield held
    else:
        yield from (cell for row in held for cell in row)


def _grid(rows: list[list[Span]]) -> list[list[str]]:
    """Cells under the columns of the widest row. A row without a first cell goes on with the one above."""
    columns = max(rows, key=len)
    grid: list[list[str]] = []
    for row in rows:
        cells = [""] * len(columns)
        for cell in row:
            at = max(
                range(len(columns)), key=lambda n: min(cell.right, columns[n].right) - max(cell.left, columns[n].left)
            )
            cells[at] = f"{cells[at]} {cell.text}".strip()
        if grid and not cells[0] and len(grid) > 1:
            grid[-1] = [f"{above} {below}".strip() for above, below in zip(grid[-1], cells, strict=True)]
        else:
            grid.append(cells)
    return grid


def _is_heading(span: Span, levels: dict[float, int]) -> bool:
    if len(span.text) > LONGEST_HEADING or span.lines > 3 or not re.search(r"[^\W\d_]{2}", span.text):
        return False
    if BULLET.match(span.text) and not re.match(r"\d", span.text):
        return False
    return _size(span) in levels or (span.is_bold and span.lines == 1 and not re.search(r"[.,;:]$", span.text))


def _size(span: Span) -> float:
    """A height that is the same for the same font size, give or take rounding."""
    return round(span.height * 2) / 2


def _without_running(pages: list[tuple[Page, list[Span]]]) -> list[tuple[Page, list[Span]]]:
    """Headers and footers are lines that stand, numbers aside, in the margins of most pages. Empty if all lines are."""
    margins = [{_key(segment.text) for segment in found if _in_margin(segment, page)} for page, found in pages]
    seen = Counter(key for keys in margins for key in keys)
    running = {key for key, count in seen.items() if count > 1 and count > len(pages) / 2}
    kept = []
    for page, found in pages:
        lines = []
        for segment in found:
            key = _key(segment.text)
            if key not in running or not _in_margin(segment, page):
                lines.append(segment)
            elif seen.pop(key, 0) and str(page.number) not in re.findall(r"\d+", segment.text):
                lines.append(segment)  # its first time
        kept.append((page, lines))
    return kept if any(lines for _, lines in kept) else []


def _in_margin(segment: Span, page: Page) -> bool:
    return segment.bottom < page.height * MARGIN or segment.top > page.height * (1 - MARGIN)


def _key(text: str) -> str:
    return re.sub(r"\W+|\d+", "", text).lower() or re.sub(r"\d", "0", text)
