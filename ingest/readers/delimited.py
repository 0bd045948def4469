"""Tables in text: CSV, TSV and their cousins with semicolons or bars."""

import csv
import re
import sys

from ingest.readers.reading import Reading, table

DELIMITERS = ",;\t|"
MOST_COLUMNS = 1_000
MOST_ROWS = 100_000
SAMPLE_LINES = 50


def read_delimited(text: str, name: str) -> Reading:
    """A CSV or TSV file whose first row names the columns."""
    csv.field_size_limit(sys.maxsize)
    delimiter = _delimiter(text)
    lines = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True))
    notes = []
    if max(map(len, lines), default=0) > MOST_COLUMNS:
        notes.append(f"The columns after the first {MOST_COLUMNS} were left out.")
    if len(lines) > MOST_ROWS:
        notes.append(f"The rows after the first {MOST_ROWS} were left out.")
    blocks = table([row[:MOST_COLUMNS] for row in lines[:MOST_ROWS]])
    return Reading("", tuple(blocks), notes=tuple(notes))


def is_delimited(text: str) -> bool:
    """Whether a text without a telling name is a table: some delimiter, equally often, in each of several lines."""
    lines = [line for line in text.splitlines()[:SAMPLE_LINES] if line.strip()]
    counts = [{line.count(delimiter) for line in lines} for delimiter in "\t;|,"]
    return len(lines) > 2 and any(
        len(count) == 1 and min(count) > (1 if at == 3 else 0) for at, count in enumerate(counts)
    )


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the most equally long rows."""
    declared = re.match(r"sep=(.)\n", text)
    if declared:
        return declared.group(1)
    lines = [line + "\n" for line in text[:200_000].splitlines()[:SAMPLE_LINES]]

    def evenness(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=1)
        return (widths.count(usual) / len(widths) if usual > 1 else 0, usual)

    return max(DELIMITERS, key=evenness)
