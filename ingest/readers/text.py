"""Plain text and Markdown."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading, rows

LONGEST_HEADING = 80


def decode(content: bytes, name: str) -> str:
    """Text in whatever encoding it was written; `name` is for the error."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        guess = from_bytes(content).best()
    if guess is None:
        raise UnreadableDocument(f"'{name}' is not text in an encoding that can be recognised; save it as UTF-8.")
    return str(guess)


def read_markdown(path: Path) -> Reading:
    """Markdown (CommonMark with tables)."""
    return parse_markdown(decode(path.read_bytes(), path.name))


def parse_markdown(text: str) -> Reading:
    """Markdown text; front matter is left out."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    tree = SyntaxTreeNode(MarkdownIt("commonmark", {"html": False}).enable("table").parse(text))
    blocks = tuple(_blocks(tree))
    return Reading(next((block.text for block in blocks if block.kind == "heading"), ""), blocks)


def read_text(path: Path) -> Reading:
    """Plain text: paragraphs stand between empty lines; a short line in capitals or underlined is a heading."""
    paragraphs = re.split(r"\n\s*\n", decode(path.read_bytes(), path.name).replace("\r\n", "\n"))
    blocks = tuple(_paragraph(paragraph.strip()) for paragraph in paragraphs if paragraph.strip())
    title = blocks[0].text if blocks and blocks[0].kind == "heading" else ""
    return Reading(title, blocks)


def _paragraph(text: str) -> Block:
    lines = text.splitlines()
    underlined = len(lines) == 2 and re.fullmatch(r"[=\-~]{3,}", lines[1].strip())
    if len(lines[0]) <= LONGEST_HEADING and (underlined or (len(lines) == 1 and lines[0].isupper())):
        return Block("heading", lines[0].capitalize() if lines[0].isupper() else lines[0], level=2)
    return Block("text", _unwrapped(lines))


def _unwrapped(lines: list[str]) -> str:
    """Lines joined where a sentence goes on; list items and short lines stay apart."""
    text = lines[0]
    for before, line in itertools.pairwise(lines):
        goes_on = len(before) > LONGEST_HEADING * 0.6 and not re.match(r"\s*([-*•]|\d+[.)])\s", line)
        text += (" " if goes_on else "\n") + line.strip()
    return text


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
        else:
            yield from _blocks(child)


def _plain(node: SyntaxTreeNode) -> str:
    """The text that a reader sees: no markup, no addresses of links or images."""
    if node.type in ("text", "code_inline", "fence", "code_block"):
        return node.content
    if node.type in ("softbreak", "hardbreak"):
        return " "
    return "" if node.type == "image" else "".join(_plain(child) for child in node.children)
