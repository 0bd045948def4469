"""Rows of tables as the documents' readers write them: "Tent: Rook 2; Weekend: €29; Deposit: €80". All cells are about
what stands in the first, and what a cell is its header says, not the cell beside it."""

import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from bot.claims import facts, roles
from bot.claims.facts import Fact
from bot.lexical import stem, stems

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


class _Told(NamedTuple):
    """A cell, its facts, and how many words of its header a claim has."""

    cell: Cell
    facts: list[Fact]
    words: int

    def holds(self, fact: Fact) -> bool:
        return any(roles.same(fact, one) for one in self.facts)


def kept(claim: str, claimed: Sequence[Fact], row: str, there: Sequence[Fact]) -> bool:
    """Whether the facts of a claim keep their roles in a table row: each stands within its cell as it did, under the
    header that the claim calls it by, and two do not change headers."""
    said = set(stems(claim))
    within = [
        _Told(cell, [one for one in there if cell.start <= one.start < cell.end], len(set(stems(cell.header)) & said))
        for cell in cells(row)
    ]
    places = [(fact, [one.cell for one in within if one.holds(fact)]) for fact in claimed]
    return (
        all(roles.kept(claim, [fact for fact in claimed if one.holds(fact)], row, one.facts) for one in within)
        and all(_is_called_by_its_header(fact, within) for fact in claimed)
        and not any(_crosswise(claim, one, other) for one, other in combinations(places, 2))
    )


def _is_called_by_its_header(fact: Fact, within: Sequence[_Told]) -> bool:
    """Whether the claim calls no other cell by its header better, of those with such a figure or name. A name that only
    says what the row or a cell is stands under no header."""
    named = fact.kind == "name"
    own, foreign = list[int](), [0]
    for cell, some, words in within[named:]:
        like = [one for one in some if _alike(fact, one) and not (named and one.start <= cell.start + len(cell.header))]
        if like:
            (own if any(roles.same(fact, one) for one in like) else foreign).append(words)
    return max(foreign) <= max(own, default=0) or (named and not own)


def _alike(fact: Fact, other: Fact) -> bool:
    """Whether one could stand in the other's place; in a table the unit may stand in a header or nowhere."""
    return fact.kind == other.kind and other.unit in ("", fact.unit)


def _crosswise(claim: str, one: tuple[Fact, Sequence[Cell]], other: tuple[Fact, Sequence[Cell]]) -> bool:
    """Whether the claim has two facts in one order and their headers in the other: "€95 for a weekend, €45 a week"."""
    (fact, cells_of_one), (second, cells_of_other) = one, other
    if not _alike(fact, second) or len(cells_of_one) != 1 or len(cells_of_other) != 1:
        return False
    mine, theirs = (set(stems(cell.header)) for cell in (*cells_of_one, *cells_of_other))
    places = {stem(word[0]): word.start() for word in re.finditer(r"\w+", claim.lower())}
    first = min((places[word] for word in mine - theirs if word in places), default=None)
    then = min((places[word] for word in theirs - mine if word in places), default=None)
    return first is not None and then is not None and (fact.start < second.start) != (first < then)
