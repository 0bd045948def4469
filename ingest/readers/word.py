"""Word documents (python-docx opens them). kreuzberg is faster but loses every "&" of a document's text."""

import io
import re
from collections.abc import Iterator
from typing import Any

import docx
import docx.oxml
from docx.oxml.ns import qn

from ingest.readers import archive, hidden
from ingest.readers.reading import Block, Reading, first_heading, heading, table

VALUE, TEXT, PARAGRAPH, TABLE = (qn(f"w:{tag}") for tag in ("val", "t", "p", "tbl"))
BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
# Deleted text that is still tracked, the old-program copy of a drawing, and text boxes, which come by themselves.
APART = {qn("w:del"), qn("w:moveFrom"), "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
BOX = qn("w:txbxContent")
NOTES = ("footnotes", "endnotes")


def read_docx(content: bytes, name: str) -> Reading:
    """A DOCX file: headings by their style, tables row by row. Its pages are only known to a word processor."""
    archive.opened(content, name)
    document = docx.Document(io.BytesIO(content))
    word = _Word(document)
    blocks = [block for part in word.parts() for block in word.blocks(part)]
    named = " ".join((document.core_properties.title or "").split())
    return Reading(first_heading(blocks) or named, tuple(blocks), notes=hidden.note(word.hidden))


class _Word:
    """One document: its styles, and what was found hidden in it."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.hidden: set[str] = set()
        self.styles = {style.style_id: style for style in document.styles}
        self.default = document.styles.default(1)

    def parts(self) -> Iterator[Any]:
        """The body, then the notes at the foot of its pages."""
        yield self.document.element.body
        for part in self.document.part.package.iter_parts():
            if any(part.partname.endswith(f"/{kind}.xml") for kind in NOTES):
                yield docx.oxml.parse_xml(part.blob)

    def blocks(self, parent: Any) -> Iterator[Block]:
        """What stands in a body, a cell or a text box, in order; wrappers such as content controls are looked into."""
        for element in parent:
            if element.tag == PARAGRAPH:
                yield from self.paragraph(element)
                for box in element.iter(BOX):
                    if not any(outer.tag in APART for outer in box.iterancestors()):
                        yield from self.blocks(box)
            elif element.tag == TABLE:
                yield from table(self.cells(element))
            elif element.tag not in APART and len(element):
                yield from self.blocks(element)

    def paragraph(self, element: Any) -> Iterator[Block]:
        """A heading or a paragraph, if it says anything."""
        text = self.text(element).strip()
        if text:
            level = self.level(element)
            yield heading(text, level) if level else Block("text", text)

    def text(self, element: Any) -> str:
        """What a paragraph shows."""
        pieces: list[str] = []
        for child in element:
            if child.tag == TEXT:
                pieces.append(child.text or "")
            elif child.tag in BREAKS:
                pieces.append(BREAKS[child.tag])
            elif child.tag == qn("w:r") and (why := _concealed(child)):
                self.hidden |= {why} if self.text_of_run(child) else set()
            elif child.tag not in APART and child.tag != BOX:
                pieces.append(self.text(child))
        return "".join(pieces)

    def text_of_run(self, run: Any) -> str:
        """The text of a run, hidden or not."""
        return "".join(part.text or "" for part in run.iter(TEXT)).strip()

    def level(self, element: Any) -> int:
        """The level of a heading by its own or its style's outline, or by the style's name; 0 for anything else."""
        outline = element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        named = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        style = self.styles.get(named.get(VALUE)) if named is not None else None
        for _ in range(10):
            if outline is not None or style is None:
                break
            if found := re.fullmatch(r"(?:heading (\d)|title)", style.name or "", re.IGNORECASE):
                return int(found.group(1) or 1)
            outline = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
            style = style.base_style
        level = int(outline.get(VALUE)) + 1 if outline is not None else 0
        return level if level < 10 else 0

    def cells(self, element: Any) -> list[list[str]]:
        """The texts of a table; a cell that spans columns or rows says the same in each."""
        grid: list[list[str]] = []
        for line in element.iter(qn("w:tr")):
            if next(line.iterancestors(TABLE)) is not element:
                continue
            row: list[str] = []
            for cell in line.iter(qn("w:tc")):
                if next(cell.iterancestors(qn("w:tr"))) is not line:
                    continue
                span = cell.find(f"{qn('w:tcPr')}/{qn('w:gridSpan')}")
                merged = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
                goes_on = merged is not None and merged.get(VALUE) != "restart" and grid and len(row) < len(grid[-1])
                text = grid[-1][len(row)] if goes_on else " ".join(b.text for b in self.blocks(cell))
                row += [text] * min(int(span.get(VALUE)) if span is not None else 1, 100)
            grid.append(row)
        return grid


def _concealed(run: Any) -> str:
    style = run.find(qn("w:rPr"))
    if style is None:
        return ""
    vanish, color = style.find(qn("w:vanish")), style.find(qn("w:color"))
    if vanish is not None and vanish.get(VALUE) not in ("0", "false"):
        return "text formatted as hidden"
    shaded = style.find(qn("w:shd")) is not None or style.find(qn("w:highlight")) is not None
    is_white = color is not None and (color.get(VALUE) or "").upper() == "FFFFFF"
    return "white text" if is_white and not shaded and not _on_dark(run) else ""


def _on_dark(run: Any) -> bool:
    """Whether the paragraph or cell around has a colour of its own: white letters are readable there."""
    return any(
        outer.find(f"{qn(f'w:{kind}')}/{qn('w:shd')}") is not None
        for kind in ("pPr", "tcPr", "tblPr")
        for outer in run.iterancestors()
    )
