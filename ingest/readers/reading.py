"""What every reader returns."""

from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "text", "row"]


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


def rows(header: list[str], body: list[list[str]]) -> list[Block]:
    """Table rows that can be understood, and cited, without the rest of their table."""
    return [Block("row", text) for cells in body if (text := _row(header, cells))]


def _row(header: list[str], cells: list[str]) -> str:
    named = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named)
