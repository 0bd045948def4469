"""Spreadsheets: XLSX, XLSB, XLS and ODS (calamine)."""

import io
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine as calamine

from bot.errors import UnreadableDocument
from ingest.readers import hidden
from ingest.readers.archive import locked
from ingest.readers.reading import Block, Reading, heading, table

MOST_COLUMNS = 1_000
MOST_ROWS = 100_000


def read_sheets(content: bytes, name: str) -> Reading:
    """A workbook: a heading a sheet, then its rows, each cell with the name of its column."""
    try:
        book = calamine.load_workbook(io.BytesIO(content))
    except calamine.PasswordError as error:
        raise locked(name) from error
    except calamine.CalamineError as error:
        raise UnreadableDocument(f"'{name}' is damaged; open it in a spreadsheet program and save it again.") from error
    blocks: list[Block] = []
    concealed = False
    for sheet in book.sheets_metadata:
        if sheet.typ is not calamine.SheetTypeEnum.WorkSheet:
            continue
        if sheet.visible is not calamine.SheetVisibleEnum.Visible:
            concealed = True
            continue
        if found := _sheet(book.get_sheet_by_name(sheet.name)):
            blocks += [heading(sheet.name, 1), *found]
    return Reading("", tuple(blocks), notes=hidden.note(["hidden sheets"] if concealed else []))


def _sheet(sheet: Any) -> list[Block]:
    """The tables of a sheet: an empty row begins a new one, but not between a header and its first numbers."""
    tables: list[list[list[str]]] = [[]]
    was_empty = had_numbers = False
    for row in sheet.to_python(skip_empty_area=True, nrows=MOST_ROWS):
        cells = [_cell(value) for value in row[:MOST_COLUMNS]]
        numbers = any(isinstance(value, float) for value in row)
        if any(cells):
            if was_empty and (had_numbers or not numbers):
                tables.append([])
                had_numbers = False
            tables[-1].append(cells)
            had_numbers |= numbers
        was_empty = not any(cells)
    return [block for cells in tables for block in table(cells)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) < 1e15 else str(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time | timedelta):
        return str(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else " ".join(str(value).split())
