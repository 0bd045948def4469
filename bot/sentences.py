"""Splitting text into sentences, for evidence, for checking and for streaming. Works by punctuation and line breaks,
so a table row or a list item is a sentence of its own."""

import re
from collections.abc import Iterable, Iterator

ABBREVIATIONS = frozenset("mr mrs ms dr prof st no nr vs etc e.g i.e approx incl max min tel p pp inc ltd co".split())
# The end of a sentence: punctuation, closing quotes, citation markers; then space and something that begins a sentence.
_END = re.compile(r"""[.!?…]['"”’)]*(?:\s?\[\d+\])*(?=\s+(?!\[\d)["“'‘(\[]?[A-Z0-9À-Þ])|\n+""")
_MARKER = re.compile(r"\s*\[\d+\]")


def split(text: str) -> list[str]:
    """The sentences of a text, stripped, in order. Each is an exact substring of the text."""
    pieces, start = [], 0
    for match in _END.finditer(text):
        if _is_abbreviation(text[start : match.start()]) and "\n" not in match.group():
            continue
        pieces.append(text[start : match.end()].strip())
        start = match.end()
    return [piece for piece in [*pieces, text[start:].strip()] if piece]


def stream(tokens: Iterable[str]) -> Iterator[str]:
    """Turn pieces of text as they arrive into whole sentences as they end."""
    held = ""
    for token in tokens:
        held += token
        *whole, _ = split(held) or [""]
        for sentence in whole:
            yield sentence
            held = held[held.index(sentence) + len(sentence) :]
    yield from split(held)


def without_markers(sentence: str) -> str:
    """A sentence without its citation markers `[n]`."""
    return _MARKER.sub("", sentence).strip()


def with_marker(sentence: str, n: int) -> str:
    """A sentence with its one citation before the full stop, which it gets where it has none."""
    body = sentence.rstrip(".!?… ")
    return f"{body} [{n}]{sentence[len(body) :].strip() or '.'}"


def markers(sentence: str) -> list[int]:
    """The numbers of a sentence's citation markers."""
    return [int(number) for number in re.findall(r"\[(\d+)\]", sentence)]


def _is_abbreviation(before: str) -> bool:
    """Whether the full stop after this text belongs to "approx." or to an initial ("Dr. J. K. Oakes", not "Zone A")."""
    *earlier, last = before.split()[-2:] or [""]
    initial = re.fullmatch(r"[A-Z]", last) and (not earlier or earlier[0].endswith("."))
    return bool(initial) or last.lower().lstrip("(\"'“‘") in ABBREVIATIONS
