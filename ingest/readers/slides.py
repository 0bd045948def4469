"""PowerPoint presentations (python-pptx). A slide is a page."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import pptx

from ingest.readers import archive, hidden
from ingest.readers.reading import Block, Reading, heading, table


def read_pptx(content: bytes, name: str) -> Reading:
    """A PPTX file: a heading a slide, its texts from top to bottom, tables row by row, and the speaker's notes."""
    archive.opened(content, name)
    show = pptx.Presentation(io.BytesIO(content))
    blocks: list[Block] = []
    slides = list(show.slides)
    concealed = [slide for slide in slides if slide.element.get("show") == "0"]
    for number, slide in enumerate(slides, 1):
        if slide not in concealed:
            blocks += _slide(slide, number)
    title = " ".join((show.core_properties.title or "").split())
    first = next((text for slide in slides if (text := _title(slide))), "")
    named = title if title.lower() not in ("", "powerpoint presentation") else first
    return Reading(named, tuple(blocks), len(slides), hidden.note(["hidden slides"] if concealed else []))


def _slide(slide: Any, number: int) -> Iterator[Block]:
    title = _title(slide)
    yield heading(f"Slide {number}: {title}" if title else f"Slide {number}", 1, number)
    for shape in _flat(slide.shapes):
        if shape.has_text_frame and shape != slide.shapes.title:
            for paragraph in shape.text_frame.paragraphs:
                if text := paragraph.text.replace("\v", "\n").strip():
                    yield Block("text", text, page=number)
        elif getattr(shape, "has_table", False):
            yield from table([[cell.text for cell in row.cells] for row in shape.table.rows], number)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart, number)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) and frame.text.strip():
        yield Block("text", f"Notes: {frame.text.strip()}", page=number)


def _chart(chart: Any, number: int) -> Iterator[Block]:
    """A chart as the table that it draws."""
    for plot in chart.plots:
        header = ["", *(str(series.name) for series in plot.series)]
        columns = [
            [str(label) for label in plot.categories],
            *([str(v) for v in series.values] for series in plot.series),
        ]
        yield from table([header, *map(list, zip(*columns, strict=False))], number)


def _title(slide: Any) -> str:
    title = slide.shapes.title
    return " ".join(title.text_frame.text.split()) if title is not None else ""


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Shapes in reading order, those inside groups too."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape
