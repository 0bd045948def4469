"""What every reader returns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

BlockKind = Literal["heading", "text", "row"]
DEEPEST_HEADING = 6
MOST_COLUMNS, MOST_ROWS = 1_000, 100_000
# A row that names the columns has this share of the cells of the fullest row.
FULL_ROW = 0.6


@dataclass(frozen=True)
class Block:
    """A heading (`level` 1 to 6), a paragraph or list item, or a table row whose cells carry their column's name."""

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True)
class Reading:
    """A document's title (empty where it has none), its blocks in reading order, its number of pages if it has any.

    `notes` are sentences for the content owner about what was left out, such as hidden text.
    """

    title: str
    blocks: tuple[Block, ...]
    pages: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parcel:
    """A file that holds files: what it says itself, and its parts as (name, content).

    A part's heading is its name after the `label`.
    """

    reading: Reading
    parts: tuple[tuple[str, bytes], ...] = ()
    label: str = ""


def heading(text: str, level: int, page: int | None = None) -> Block:
    """A heading on one line, no deeper than the deepest level there is."""
    return Block("heading", " ".join(text.split()), min(level, DEEPEST_HEADING), page)


def first_heading(blocks: Iterable[Block]) -> str:
    """The title of a document that names none."""
    return next((block.text for block in blocks if block.kind == "heading"), "")


def rows(header: list[str], body: list[list[str]], page: int | None = None) -> list[Block]:
    """Table rows that can be understood, and cited, without the rest of their table."""
    return [Block("row", text, page=page) for cells in body if (text := _row(header, cells))]


def table(cells: list[list[str]], page: int | None = None) -> list[Block]:
    """A table whose columns are named by its first row that is about as full as the fullest; above are captions.

    Where there is one row or one column only, it is just text.
    """
    filled = [line for row in cells if any(line := [" ".join(cell.split()) for cell in row])]
    fullest = max((sum(map(bool, row)) for row in filled), default=0)
    first = next((n for n, row in enumerate(filled) if sum(map(bool, row)) >= FULL_ROW * fullest), 0)
    if fullest < 2 or len(filled) - first < 2:
        return [Block("text", "\n".join(dict.fromkeys(filter(None, row))), page=page) for row in filled]
    captions = [Block("text", " ".join(dict.fromkeys(filter(None, row))), page=page) for row in filled[:first]]
    header, *body = filled[first:]
    return captions + (rows([], [header, *body], page) if _names_nothing(header) else rows(header, body, page))


def capped(lines: list[list[Any]]) -> tuple[list[list[Any]], list[str]]:
    """As many rows and columns as one table may have, and notes about what was left out."""
    notes = []
    if max(map(len, lines), default=0) > MOST_COLUMNS:
        notes.append(f"The columns after the first {MOST_COLUMNS:,} were left out.")
    if len(lines) > MOST_ROWS:
        notes.append(f"The rows after the first {MOST_ROWS:,} were left out.")
    return [line[:MOST_COLUMNS] for line in lines[:MOST_ROWS]], notes


def _names_nothing(header: list[str]) -> bool:
    """Whether the first row is data already: numbers, though years are good names for columns."""
    named = [cell for cell in header if cell]
    numbers = [cell for cell in named if re.fullmatch(r"[-+(]?[\d.,]+ ?%?\)?", cell)]
    return len(numbers) * 2 >= len(named) and not all(re.fullmatch(r"(19|20)\d\d", cell) for cell in numbers)


def _row(header: list[str], cells: list[str]) -> str:
    names = header + [""] * (len(cells) - len(header))
    named = [(name, cell) for name, cell in zip(names, cells, strict=False) if cell]
    return "; ".join(f"{name}: {cell}" if name and name != cell else cell for name, cell in named)
