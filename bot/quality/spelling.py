"""Which words of a text are misspelt: in no English dictionary, and not a word of the company's own documents."""

import functools
import re
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from spellchecker import SpellChecker

from bot import db

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# The dictionary is American.
_AMERICAN = (
    (re.compile(r"our"), "or"),
    (re.compile(r"is(?=e|ing|ation)"), "iz"),
    (re.compile(r"tre(?=s?$)"), "ter"),
    (re.compile(r"ll(?=ed|ing)"), "l"),
    (re.compile(r"ence$"), "ense"),
)

Misspelt = Callable[[str, str], tuple[str, ...]]


def of_documents(engine: sa.Engine) -> Misspelt:
    """A speller that knows every word of the documents in use."""
    columns = sa.select(db.chunks.c.title, db.chunks.c.heading, db.chunks.c.text)
    return speller(" ".join(row) for row in db.rows(engine, columns))


def speller(documents: Iterable[str]) -> Misspelt:
    """A function from a text and what it was made from (question, passages) to its misspelt words, in order."""
    known = {word for text in documents for word in _words(text)}

    def misspelt(text: str, beside: str) -> tuple[str, ...]:
        there = known | set(_words(beside))
        return tuple(word for word in dict.fromkeys(_words(text)) if word not in there and not _is_english(word))

    return misspelt


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


@functools.cache
def _is_english(word: str) -> bool:
    if len(word) < 3 or "'" in word:  # a unit, an initial, a contraction
        return True
    variants = {word, *(pattern.sub(american, word) for pattern, american in _AMERICAN)}
    return bool(_dictionary().known(variants))


@functools.cache
def _dictionary() -> SpellChecker:
    return SpellChecker(distance=1)
