"""Does each figure and name of a claim stand in the same place as in its source? "From July to May" holds the same
facts as "from May to July", but not in the same roles; a role is the words around."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot import lexical
from bot.claims.facts import Fact

NEAR_WORDS = 3
MARGIN = 0.75
_WORD = re.compile(r"[^\W_]+")
_SMALL_WORD = 0.5  # what a word without meaning of its own weighs, beside one with


class Place(NamedTuple):
    """The nearest words to the left and to the right of a fact, nearest first, as stems."""

    left: tuple[str, ...]
    right: tuple[str, ...]


def kept(claim: str, claimed: Sequence[Fact], quote: str, quoted: Sequence[Fact]) -> bool:
    """Whether no fact of the claim stands clearly where the quote has another one."""
    places = [(fact, place(quote, fact)) for fact in quoted]
    for fact in claimed:
        said = [(fact, place(quote, one)) for one in _occurrences(claim[fact.start : fact.end], quote)]
        if _displaced(fact, place(claim, fact), [*places, *said]):
            return False
    return True


def _occurrences(words: str, text: str) -> Iterator[Fact]:
    """Where the words of a name stand in a text that may not take them for a name."""
    for match in re.finditer(rf"\b{re.escape(words)}\b", text, re.I):
        yield Fact("name", (), match.start(), match.end())


def paired(figures: Sequence[Fact], names: Sequence[Fact], quoted: Sequence[Fact], named: Sequence[Fact]) -> bool:
    """Whether each figure of a claim goes with its names, as in the quote: "by Smith in 1551 and by Jones in 1629" does
    not say that it was Jones in 1551. A pair is crossed where the quote has another figure nearer to the name and
    another name nearer to the figure."""
    strange_figures = [one for one in quoted if not any(same(figure, one) for figure in figures)]
    strange_names = [one for one in named if not any(same(name, one) for name in names)]
    return not any(
        _crossed(figure, name, strange_figures, strange_names)
        for figure in (one for one in quoted if any(same(mine, one) for mine in figures))
        for name in (one for one in named if any(same(mine, one) for mine in names))
    )


def _crossed(figure: Fact, name: Fact, figures: Sequence[Fact], names: Sequence[Fact]) -> bool:
    apart = _distance(figure, name)
    other_figure = any(_distance(one, name) < apart for one in figures if one.kind == figure.kind)
    return other_figure and any(_distance(figure, one) < apart for one in names)


def _distance(one: Fact, other: Fact) -> int:
    return max(one.start - other.end, other.start - one.end)


def place(text: str, fact: Fact) -> Place:
    """Where a fact stands in its text."""
    before = [lexical.stem(word) for word in _WORD.findall(text[: fact.start].lower())]
    after = [lexical.stem(word) for word in _WORD.findall(text[fact.end :].lower())]
    return Place(tuple(reversed(before[-NEAR_WORDS:])), tuple(after[:NEAR_WORDS]))


def _displaced(fact: Fact, here: Place, places: Sequence[tuple[Fact, Place]]) -> bool:
    own = max((_likeness(here, there) for other, there in places if same(fact, other)), default=0.0)
    foreign = max((_likeness(here, there) for other, there in places if not same(fact, other)), default=0.0)
    return foreign >= own + MARGIN


def same(fact: Fact, other: Fact) -> bool:
    """Whether one of two facts says the other; of names, where they share a part."""
    if fact.kind == other.kind == "name" and isinstance(fact.value, tuple) and isinstance(other.value, tuple):
        return bool(set(fact.value) & set(other.value))
    return fact.agrees(other) or other.agrees(fact)


def _likeness(one: Place, other: Place) -> float:
    return _shared(one.left, other.left) + _shared(one.right, other.right)


def _shared(one: Sequence[str], other: Sequence[str]) -> float:
    """The weight of the words that both have; the nearer to the fact, the weightier."""
    return sum(_weight(word) / (1 + max(at, other.index(word))) for at, word in enumerate(one) if word in other)


def _weight(word: str) -> float:
    return _SMALL_WORD if word in lexical.STOPWORDS else 1.0
