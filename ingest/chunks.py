"""Cuts a reading into chunks along its structure: never across a heading, a page or a table row.

A chunk carries the path of headings above it. Sizes are in words and fit the embedding model's 256 word pieces.
"""

from collections.abc import Iterator

from bot import sentences
from bot.records import Chunk
from ingest.readers.reading import Block, Reading

MOST_WORDS = 110


def cut(reading: Reading, version_id: int) -> list[Chunk]:
    """The chunks of a version in reading order, with ids that the same content gets again in the same version."""
    pieces = [piece for section in _sections(reading) for piece in _packed(section)]
    return [
        Chunk(f"v{version_id}-{ordinal:05d}", version_id, ordinal, heading, page, text)
        for ordinal, (heading, page, text) in enumerate(pieces)
    ]


def _sections(reading: Reading) -> Iterator[tuple[str, list[Block]]]:
    """Runs of blocks under the same headings, each with its heading path; the title is not repeated in it."""
    path: dict[int, str] = {}
    held: list[Block] = []
    for block in reading.blocks:
        if block.kind != "heading":
            held.append(block)
            continue
        if held:
            yield _heading(path, reading.title), held
        held = []
        path = {level: text for level, text in path.items() if level < block.level} | {block.level: block.text}
    if held:
        yield _heading(path, reading.title), held


def _heading(path: dict[int, str], title: str) -> str:
    return " > ".join(text for _, text in sorted(path.items()) if text != title)


def _packed(section: tuple[str, list[Block]]) -> Iterator[tuple[str, int | None, str]]:
    """A section's sentences, packed into pieces of at most `MOST_WORDS` words, each on one page."""
    heading, blocks = section
    held, words, page = "", 0, blocks[0].page
    for block in blocks:
        for n, sentence in enumerate(_units(block)):
            count = len(sentence.split())
            if held and (words + count > MOST_WORDS or block.page != page):
                yield heading, page, held
                held, words = "", 0
            held += (("\n" if n == 0 else " ") if held else "") + sentence
            words, page = words + count, block.page
    yield heading, page, held


def _units(block: Block) -> Iterator[str]:
    """A row as a whole, else sentences; what has no end for too long is cut by words."""
    for sentence in [block.text] if block.kind == "row" else sentences.split(block.text):
        words = sentence.split()
        if len(words) <= MOST_WORDS:
            yield sentence
        else:
            yield from (" ".join(words[at : at + MOST_WORDS]) for at in range(0, len(words), MOST_WORDS))
