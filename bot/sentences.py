"""Splitting text into sentences, for evidence, for checking and for streaming. Works by punctuation and line breaks,
so a table row or a list item is a sentence of its own."""

import re
from collections.abc import Iterable, Iterator

ABBREVIATIONS = frozenset("mr mrs ms dr prof st no nr vs etc e.g i.e approx incl max min tel p pp inc ltd co".split())
# The end of a sentence: punctuation, closing quotes, citation markers; then space and something that begins a sentence.
# What is emphasised (`**`) may end or begin there, too.
_END = re.compile(
    r"""[.!?…](?:\*\*|['"”’)])*(?:\s?\[\d+\](?:\*\*)?)*(?=\s+(?!\[\d)(?:\*\*)?["“'‘(\[]?(?:\*\*)?[A-Z0-9À-Þ])|\n+"""
)
MARK = "**"  # before and behind what is emphasised
_MARKER = re.compile(r"\s*\[\d+\]")
_LONE_KEY = re.compile(r"\*\*([^*]*[^*.!?…])\*\*")
_EMPHASIS = re.compile(r"\*{2,}")
_FINAL = ".!?… "


def places(text: str) -> list[tuple[int, int]]:
    """From where to where each of a text's sentences stands in it, in order."""
    found, end = [], 0
    for sentence in split(text):
        start = text.index(sentence, end)
        end = start + len(sentence)
        found.append((start, end))
    return found


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
    body = sentence.rstrip(_FINAL)
    end = sentence[len(body) :].strip()
    return f"{body} [{n}]{'.' if end in ('', '..') else end}"  # "p.m. [1]." has two full stops without its marker


def emphasised(sentence: str) -> tuple[str, str]:
    """A sentence without the marks `**`, and the words that stood between them, without citation markers and full stop.
    There are none unless exactly one pair of marks sets some of the sentence's words off."""
    parts = _EMPHASIS.split(sentence)
    plain = "".join(parts)
    key = without_markers(parts[1]).rstrip(_FINAL) if len(parts) == 3 else ""
    return plain, key if len(key.split()) < len(without_markers(plain).split()) else ""


def lone_key(line: str) -> str:
    """The words between the marks `**` where nothing else stands in a line and they are no sentence; else nothing."""
    found = _LONE_KEY.fullmatch(line.strip())
    return found[1].strip() if found else ""


def span(key: str, sentence: str) -> tuple[int, int]:
    """Where a sentence's emphasised words first stand in it, from and to; (0, 0) where it has none."""
    found = re.search(rf"(?<!\w){re.escape(key)}(?!\w)", sentence) if key else None
    return found.span() if found else (0, 0)


def markers(sentence: str) -> list[int]:
    """The numbers of a sentence's citation markers."""
    return [int(number) for number in re.findall(r"\[(\d+)\]", sentence)]


def _is_abbreviation(before: str) -> bool:
    """Whether the full stop after this text belongs to "approx." or to an initial ("Dr. J. K. Oakes", not "Zone A")."""
    *earlier, last = before.replace("**", "").split()[-2:] or [""]
    initial = re.fullmatch(r"[A-Z]", last) and (not earlier or earlier[0].endswith("."))
    return bool(initial) or last.lower().lstrip("(\"'“‘") in ABBREVIATIONS
