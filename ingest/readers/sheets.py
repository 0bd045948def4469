"""Spreadsheets: XLSX, XLSB, XLS and ODS (calamine)."""

import io
import re
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine as calamine

from bot.errors import UnreadableDocument
from ingest.readers import archive, hidden
from ingest.readers.reading import MOST_ROWS, Block, Reading, capped, heading, table

MOST_CELLS = 10_000_000
COLUMN, ROW = re.compile(rb'<c r="([A-Z]{1,3})\d'), re.compile(rb'<row [^>]*?r="(\d{1,7})"')


def read_sheets(content: bytes, name: str) -> Reading:
    """A workbook: a heading a sheet, then its rows, each cell with the name of its column."""
    if content.startswith(b"PK"):
        _check(archive.opened(content, name), name)
    try:
        book = calamine.load_workbook(io.BytesIO(content))
    except calamine.PasswordError as error:
        raise archive.locked(name) from error
    except calamine.CalamineError as error:
        raise UnreadableDocument(f"'{name}' is damaged; open it in a spreadsheet program and save it again.") from error
    blocks: list[Block] = []
    notes: dict[str, None] = {}
    for sheet in book.sheets_metadata:
        if sheet.typ is not calamine.SheetTypeEnum.WorkSheet:
            continue
        if sheet.visible is not calamine.SheetVisibleEnum.Visible:
            notes |= dict.fromkeys(hidden.note(["hidden sheets"]))
            continue
        lines, told = capped(book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=True, nrows=MOST_ROWS + 1))
        notes |= dict.fromkeys(told)
        if found := [block for cells in _tables(lines) for block in table(cells)]:
            blocks += [heading(sheet.name, 1), *found]
    return Reading("", tuple(blocks), notes=tuple(notes))


def _check(files: zipfile.ZipFile, name: str) -> None:
    """Two cells in opposite corners of a sheet would take all memory, for calamine holds what lies between."""
    for path in files.namelist():
        if path.startswith("xl/worksheets/") and path.endswith(".xml"):
            content = archive.member(files, path, name)
            columns = {match.group(1) for match in COLUMN.finditer(content)}
            last = max((int(match.group(1)) for match in ROW.finditer(content)), default=0)
            width = max(
                (sum((ord(c) - 64) * 26**n for n, c in enumerate(reversed(at.decode()))) for at in columns), default=0
            )
            if width * last > MOST_CELLS:
                raise UnreadableDocument(
                    f"'{name}' has cells too far apart; delete the ones far out and save it again."
                )


def _tables(lines: list[list[Any]]) -> list[list[list[str]]]:
    """The tables of a sheet: an empty row begins a new one, but not between a header and its first numbers."""
    tables: list[list[list[str]]] = [[]]
    was_empty = had_numbers = False
    for line in lines:
        cells = [_cell(value) for value in line]
        numbers = any(isinstance(value, float) for value in line)
        if any(cells):
            if was_empty and (had_numbers or not numbers):
                tables.append([])
                had_numbers = False
            tables[-1].append(cells)
            had_numbers |= numbers
        was_empty = not any(cells)
    return tables


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) < 1e15 else str(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time | timedelta):
        return str(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else " ".join(str(value).split())
