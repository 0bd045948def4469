"""Plain text in any encoding, and Markdown that is hardly more than that."""

import itertools
import re
from collections.abc import Iterator

from ingest.readers.reading import Block, Reading, first_heading

LONGEST_HEADING = 80
# A line of these under (and over) another makes a heading, in plain text and in reStructuredText.
UNDERLINE = re.compile(r"([=\-~^\"'#*+.:_`])\1{2,}")
# What CommonMark may take for more than words: anywhere, where a line begins, and a heading that is not simply one.
MARKED = re.compile(
    r"[`*_\[<\\|\x00-\x09\x0b-\x1f\x7f-\x9f]|&(?:#|\w+;)"
    r"|^(?:[^\S\n]|[=+>~-]|\d+[.)]|#(?!#{0,5} [^#\n]*[^#\s][^#\n]*$))",
    re.MULTILINE,
)


def read_markdown(text: str, name: str) -> Reading:
    """Markdown (CommonMark with tables); front matter is left out.

    Where there are only headings and paragraphs, no parser is needed: it would be most of the work for a short file.
    """
    if MARKED.search(text):
        from ingest.readers.markdown import read_marked  # only here, for the same reason

        return read_marked(text)
    blocks = tuple(_unmarked(text))
    return Reading(first_heading(blocks), blocks)


def _unmarked(text: str) -> Iterator[Block]:
    """The blocks of Markdown that has only headings and paragraphs, as a CommonMark parser finds them."""
    held: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line and not line.startswith("#"):
            held.append(line.rstrip(" "))
            continue
        if held:
            yield Block("text", " ".join(held).strip())
            held = []
        if line:
            words = line.lstrip("#")
            yield Block("heading", words.strip(), len(line) - len(words))


def read_text(text: str, name: str) -> Reading:
    """Plain text: paragraphs stand between empty lines; a short line in capitals or underlined is a heading."""
    paragraphs = re.split(r"\n\s*\n", text)
    blocks = tuple(
        block for paragraph in paragraphs if paragraph.strip() for block in _paragraph(paragraph.strip("\n"))
    )
    return Reading(blocks[0].text if blocks and blocks[0].kind == "heading" else "", blocks)


def _paragraph(text: str) -> Iterator[Block]:
    lines = [line.rstrip() for line in text.splitlines()]
    if len(lines) > 2 and UNDERLINE.fullmatch(lines[0]) and lines[0] == lines[2]:
        lines = lines[1:]
    alone = len(lines) == 1 and lines[0].isupper()
    underlined = len(lines) > 1 and UNDERLINE.fullmatch(lines[1]) and len(lines[1]) >= len(lines[0].strip()) - 2
    if len(lines[0]) <= LONGEST_HEADING and (alone or underlined):
        title = lines[0].strip()
        yield Block("heading", title.capitalize() if title.isupper() and len(title) > 5 else title, level=2)
        lines = lines[2:]
    if lines:
        yield Block("text", _unwrapped(lines))


def _unwrapped(lines: list[str]) -> str:
    """Lines joined where a sentence goes on; list items and short lines stay apart."""
    pieces = [lines[0].strip()]
    for before, line in itertools.pairwise(lines):
        goes_on = len(before) > LONGEST_HEADING * 0.6 and not re.match(r"\s*([-*•]|\d+[.)])\s", line)
        pieces += [" " if goes_on else "\n", line.strip()]
    return "".join(pieces)
