"""Rows of tables as the documents' readers write them: "Tent: Rook 2; Weekend: €29; Deposit: €80"."""

from typing import NamedTuple

from bot.claims import facts
from bot.lexical import stems

LEAST_TOLD = 0.5  # of the words of a cell without figures


class Cell(NamedTuple):
    """A cell with its header; `start` and `end` are its place in the row."""

    header: str
    value: str
    start: int
    end: int


def cells(text: str) -> list[Cell]:
    """The cells of a row; none where a text is no row."""
    found, start = [], 0
    for cell in text.split("; "):
        header, colon, value = cell.partition(": ")
        if not colon:
            return []
        found.append(Cell(header, value, start, start + len(cell)))
        start += len(cell) + len("; ")
    return found if len(found) > 1 else []


def told(sentence: str, cell: Cell) -> bool:
    """Whether a sentence says what stands in a cell: one of its figures, or, without any, most of its words."""
    there, said = facts.figures(cell.value), facts.figures(sentence)
    if there:
        return any(figure.agrees(other) for figure in said for other in there)
    words = set(stems(cell.value))
    return bool(words) and len(words & set(stems(sentence))) >= LEAST_TOLD * len(words)
