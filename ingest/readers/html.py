"""Web pages: what a visitor reads, without navigation, scripts and hidden parts."""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from ingest.readers import hidden
from ingest.readers.reading import Block, Reading, first_heading, heading, table
from ingest.readers.text import read_text

# Longer preformatted text is no example of code but a document.
LONGEST_CODE = 2_000
SILENT = "script style noscript template svg math iframe object nav form button select textarea input head".split()
LANDMARKS = ("navigation", "banner", "contentinfo", "search")
INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike "
    "strong sub sup time tt u var wbr".split()
)
CONCEALED = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d]*[1-9])|(?<![-\w])opacity:0(?![.\d]*[1-9])")
WHITE = re.compile(r"(?<![-\w])color:(white|#fff(fff)?(?!\w)|rgba?\(255,255,255)")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


def read_html(text: str, name: str) -> Reading:
    """An HTML page."""
    return reading(text)


def reading(text: str) -> Reading:
    """The reading of a page or of the HTML body of a mail or a book."""
    if not text.strip():
        return Reading("", ())
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        root = html.document_fromstring(text.encode(), parser=parser)
    except etree.ParserError:  # nothing but comments
        return Reading("", ())
    if any("depth" in str(entry.message) for entry in parser.error_log):
        raise RecursionError(parser.error_log.last_error)
    title = " ".join((root.findtext(".//head/title") or root.findtext(".//title") or "").split())
    notes = hidden.note(_strip(root))
    blocks = tuple(_blocks(_main(root)))
    # a page's own heading says what it is about; its title often names the site, too
    own = [block.text for block in blocks if block.kind == "heading" and block.level == 1]
    return Reading((own[0] if len(own) == 1 else title) or first_heading(blocks), blocks, notes=notes)


def _strip(root: Any) -> set[str]:
    """Take out what no visitor reads; the kinds of hidden text among it."""
    found = set()
    concealing = _concealing(root)
    for element in list(root.iter()):
        if not isinstance(element.tag, str):
            found |= {"comments"} if _says(element.text) else set()
            _drop(element)
        elif element.tag in SILENT and element is not root:
            if element.tag != "form":
                _drop(element)
        elif element.get("role") in LANDMARKS:
            _drop(element)
        elif _is_hidden(element, concealing):
            found |= {"parts that the page does not show"} if _says("".join(element.itertext())) else set()
            _drop(element)
    return found


def _is_hidden(element: Any, concealing: set[str]) -> bool:
    style = re.sub(r"\s+", "", element.get("style") or "").lower()
    names = {f".{name}" for name in (element.get("class") or "").split()} | {f"#{element.get('id')}"}
    is_white = WHITE.search(style) or (
        element.tag == "font" and (element.get("color") or "").lower() in ("white", "#ffffff")
    )
    return bool(
        element.get("hidden") is not None
        or CONCEALED.search(style)
        or (is_white and "background" not in style and not any("background" in s for s in _styles(element)))
        or names & concealing
    )


def _styles(element: Any) -> Iterator[str]:
    """The styles of what surrounds an element: white letters are readable on a dark ground."""
    for outer in element.iterancestors():
        yield (outer.get("style") or "") + ("background" if outer.get("bgcolor") else "") + (outer.get("class") or "")


def _concealing(root: Any) -> set[str]:
    """The classes and ids that the page's own style sheet hides."""
    sheets = "".join(sheet.text or "" for sheet in root.iter("style"))
    plain = re.sub(r"@media[^{]*\{([^{}]*\{[^{}]*\})*\s*\}|/\*.*?\*/", "", sheets[:200_000], flags=re.DOTALL)
    hiding = [names for names, style in RULE.findall(plain) if CONCEALED.search(re.sub(r"\s+", "", style).lower())]
    return {name.strip() for names in hiding for name in names.split(",") if re.fullmatch(r"[.#][\w-]+", name.strip())}


def _says(text: str | None) -> bool:
    return bool(re.search(r"\w{2}", text or "")) and not (text or "").lstrip().startswith("[if")


def _drop(element: Any) -> None:
    parent = element.getparent()
    if parent is None:
        return
    before = element.getprevious()
    tail = " " + (element.tail or "")
    if before is None:
        parent.text = (parent.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    parent.remove(element)


def _main(root: Any) -> Any:
    """The page's main part, if it is marked and holds most of what there is to read."""
    whole = len("".join(root.itertext()))
    parts = [part for part in root.iter("main", "article") if len("".join(part.itertext())) > whole / 2]
    return parts[0] if parts else root


def _blocks(root: Any) -> Iterator[Block]:
    """One walk over the page, without recursion: a page may be nested without end."""
    held: list[str] = []
    skipped: Any = None
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if skipped is not None:
            skipped = None if event == "end" and element is skipped else skipped
        elif event == "start" and element.tag in ("table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"):
            if element.tag != "table" or not _is_layout(element):
                yield from _flushed(held)
                yield from _whole(element)
                skipped = element
        elif event == "start":
            if element.tag not in INLINE and element.tag != "br":
                yield from _flushed(held)
            held.append("\n" if element.tag == "br" else "- " if element.tag == "li" else "")
            held.append(_spaced(element.text))
        elif element.tag not in INLINE and element.tag != "br":
            yield from _flushed(held)
        if event == "end" and skipped is None and element is not root:
            held.append(_spaced(element.tail))
    yield from _flushed(held)


def _flushed(held: list[str]) -> Iterator[Block]:
    lines = [" ".join(line.split()) for line in "".join(held).split("\n")]
    held.clear()
    text = "\n".join(line for line in lines if line).removeprefix("- ")
    if text and text != "-":
        yield Block("text", text)


def _whole(element: Any) -> Iterator[Block]:
    if element.tag == "table":
        caption = element.find("caption")
        if caption is not None and (text := _text(caption)):
            yield Block("text", text)
        yield from table(_cells(element))
    elif element.tag == "pre":
        text = "".join(element.itertext())
        yield from [Block("text", text)] if len(text) < LONGEST_CODE else read_text(text, "").blocks
    elif text := _text(element):
        yield heading(text, int(element.tag[1]))


def _is_layout(element: Any) -> bool:
    """Whether a table only arranges the page: it holds other tables, headings or long prose."""
    return any(True for _ in element.iterdescendants("table", "h1", "h2", "h3", "ul", "ol")) or any(
        len("".join(cell.itertext())) > 1_000 for cell in element.iter("td")
    )


def _cells(element: Any) -> list[list[str]]:
    """The texts of a table, a cell that spans columns or rows repeated in each."""
    grid: list[list[str]] = []
    waiting: dict[int, tuple[int, str]] = {}
    for line in element.iter("tr"):
        row: list[str] = []
        for cell in line.iterchildren("td", "th"):
            while len(row) in waiting:
                _carry(row, waiting)
            text = _text(cell)
            for _ in range(min(_span(cell, "colspan"), 100)):
                if (down := _span(cell, "rowspan")) > 1:
                    waiting[len(row)] = (down - 1, text)
                row.append(text)
        while len(row) in waiting:
            _carry(row, waiting)
        grid.append(row)
    return grid


def _carry(row: list[str], waiting: dict[int, tuple[int, str]]) -> None:
    left, text = waiting.pop(len(row))
    if left > 1:
        waiting[len(row)] = (left - 1, text)
    row.append(text)


def _span(cell: Any, name: str) -> int:
    value = cell.get(name) or "1"
    return int(value) if value.isdecimal() and len(value) < 5 else 1


def _text(element: Any) -> str:
    """All text inside an element on one line, with a space wherever a block begins or ends."""
    pieces = []
    for event, part in etree.iterwalk(element, events=("start", "end")):
        gap = "" if part.tag in INLINE else " "
        if event == "start":
            pieces.append(gap + (part.text or ""))
        elif part is not element:
            pieces.append(gap + (part.tail or ""))
    return " ".join("".join(pieces).split())


def _spaced(text: str | None) -> str:
    """A line break in the source is only a space on the page."""
    return re.sub(r"\s+", " ", text or "")
