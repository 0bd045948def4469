"""Cuts a reading into chunks along its structure: never across a heading or a page, never through a table row.

A chunk carries the title and the path of headings above it; the headings are embedded with it. Sizes are in the
embedding model's own tokens, so that no chunk is longer than what the model reads. Neighbours share a sentence, so
that a thought that crosses a border stands whole on one side.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bot import likeness, sentences
from bot.records import Chunk
from ingest.readers.reading import Block, Reading

# A sentence is shared with the next chunk where it takes no more than this share of it.
OVERLAP_SHARE = 0.25

Count = Callable[[list[str]], list[int]]


@dataclass(frozen=True)
class _Unit:
    """A sentence or a table row; `opens` says that a new paragraph begins with it."""

    text: str
    tokens: int
    page: int | None
    opens: bool
    row: bool


@dataclass(frozen=True)
class _Section:
    heading: str
    blocks: list[Block]


def cut(reading: Reading, title: str, version_id: int, count: Count, most_tokens: int) -> list[Chunk]:
    """The chunks of a version in reading order, with ids that the same content gets again in the same version.

    `count` tells the tokens of texts; no chunk's own text has more than `most_tokens`.
    """
    if all(block.kind == "heading" for block in reading.blocks):  # slides with titles only
        reading = replace(reading, blocks=tuple(replace(block, kind="text") for block in reading.blocks))
    pieces = [piece for section in _sections(reading, title) for piece in _packed(section, count, most_tokens)]
    chunks = [
        Chunk(f"v{version_id}-{ordinal:05d}", version_id, ordinal, heading, page, text, title)
        for ordinal, (heading, page, text) in enumerate(pieces)
    ]
    signatures = likeness.signatures([chunk.text for chunk in chunks])
    return [replace(chunk, signature=mark) for chunk, mark in zip(chunks, signatures, strict=True)]


def _sections(reading: Reading, title: str) -> Iterator[_Section]:
    """Runs of blocks under the same headings, each with its heading path; the title is not repeated in it."""
    path: dict[int, str] = {}
    held: list[Block] = []
    for block in reading.blocks:
        if block.kind != "heading":
            held.append(block)
            continue
        if held:
            yield _Section(_heading(path, title), held)
        held = []
        path = {level: text for level, text in path.items() if level < block.level} | {block.level: block.text}
    if held:
        yield _Section(_heading(path, title), held)


def _heading(path: dict[int, str], title: str) -> str:
    return " > ".join(text for _, text in sorted(path.items()) if text != title)


def _packed(section: _Section, count: Count, most_tokens: int) -> Iterator[tuple[str, int | None, str]]:
    """A section's sentences, packed into pieces of at most `most_tokens` tokens, each on one page."""
    held: list[_Unit] = []
    for unit in _units(section.blocks, count, most_tokens):
        if held and (sum(one.tokens for one in held) + unit.tokens > most_tokens or unit.page != held[-1].page):
            yield section.heading, held[0].page, _text(held)
            held = _shared(held, unit, most_tokens)
        held.append(unit)
    if held:
        yield section.heading, held[0].page, _text(held)


def _shared(held: list[_Unit], coming: _Unit, most_tokens: int) -> list[_Unit]:
    """What the next piece repeats: the last sentence, where it is short, of the same page and no row."""
    last = held[-1]
    fits = last.tokens <= OVERLAP_SHARE * most_tokens and last.tokens + coming.tokens <= most_tokens
    return [last] if fits and len(held) > 1 and last.page == coming.page and not (last.row or coming.opens) else []


def _text(units: list[_Unit]) -> str:
    text = units[0].text
    for unit in units[1:]:
        text += ("\n" if unit.opens else " ") + unit.text
    return text


def _units(blocks: list[Block], count: Count, most_tokens: int) -> Iterator[_Unit]:
    """A row as a whole, else sentences; what has no end for too long is cut by words."""
    marked = [
        (text, block.page, n == 0, block.kind == "row")
        for block in blocks
        for n, text in enumerate([block.text] if block.kind == "row" else sentences.split(block.text))
    ]
    for (text, page, opens, row), tokens in zip(marked, count([text for text, *_ in marked]), strict=True):
        for n, (part, size) in enumerate(_fitting(text, tokens, count, most_tokens)):
            yield _Unit(part, size, page, opens and n == 0, row)


def _fitting(text: str, tokens: int, count: Count, most_tokens: int) -> Iterator[tuple[str, int]]:
    """A text and its tokens; what is too long in as many equal parts as it takes, cut between words if it has any."""
    if tokens <= most_tokens:
        yield text, tokens
        return
    number = math.ceil(tokens / most_tokens)
    whole, glue = (words, " ") if len(words := text.split()) >= number else (list(text), "")
    step = math.ceil(len(whole) / number)
    parts = [glue.join(whole[at : at + step]) for at in range(0, len(whole), step)]
    for part, size in zip(parts, count(parts), strict=True):
        yield from _fitting(part, size, count, most_tokens)
