"""Plain text in any encoding, and Markdown."""

import functools
import html
import itertools
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from ingest.readers.reading import Block, Reading, first_heading, rows

LONGEST_HEADING = 80
# A line of these under (and over) another makes a heading, in plain text and in reStructuredText.
UNDERLINE = re.compile(r"([=\-~^\"'#*+.:_`])\1{2,}")


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def read_markdown(text: str, name: str) -> Reading:
    """Markdown (CommonMark with tables); front matter is left out."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    tree = SyntaxTreeNode(_markdown().parse(text))
    blocks = tuple(_blocks(tree))
    hidden = "<!--" in text and any("<!--" in node.content for node in tree.walk() if node.type.startswith("html"))
    return Reading(first_heading(blocks), blocks, notes=("Hidden text was left out: comments.",) if hidden else ())


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


def _blocks(node: SyntaxTreeNode) -> Iterator[Block]:
    for child in node.children:
        if child.type == "heading":
            yield Block("heading", _plain(child), level=int(child.tag[1]))
        elif child.type == "table":
            header, *body = [
                [_plain(cell) for cell in row.children] for part in child.children for row in part.children
            ]
            yield from rows(header, body)
        elif child.type in ("paragraph", "fence", "code_block"):
            yield Block("text", _plain(child))
        elif child.type == "html_block":
            plain = re.sub(r"<!--.*?-->|<[^>]*>", " ", child.content, flags=re.DOTALL)
            yield Block("text", html.unescape(plain).strip())
        else:
            yield from _blocks(child)


def _plain(node: SyntaxTreeNode) -> str:
    """The text that a reader sees: no markup, no addresses of links or images."""
    if node.type in ("text", "code_inline", "fence", "code_block"):
        return node.content
    if node.type in ("softbreak", "hardbreak"):
        return " "
    return "" if node.type in ("image", "html_inline") else "".join(_plain(child) for child in node.children)
