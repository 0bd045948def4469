"""Markdown with all that CommonMark and its tables know."""

import functools
import html
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from ingest.readers.reading import Block, Reading, first_heading, rows


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def read_marked(text: str) -> Reading:
    """Any Markdown; front matter and comments are left out."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    tree = SyntaxTreeNode(_markdown().parse(text))
    blocks = tuple(_blocks(tree))
    hidden = "<!--" in text and any("<!--" in node.content for node in tree.walk() if node.type.startswith("html"))
    return Reading(first_heading(blocks), blocks, notes=("Hidden text was left out: comments.",) if hidden else ())


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
