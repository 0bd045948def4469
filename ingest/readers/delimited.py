"""Tables in text: CSV, TSV and their cousins with semicolons or bars."""

import csv
import re
import sys

from ingest.readers.reading import Reading, capped, table

DELIMITERS = ",;\t|"
SAMPLE_LINES = 50


def read_delimited(text: str, name: str) -> Reading:
    """A CSV or TSV file whose first row names the columns."""
    csv.field_size_limit(sys.maxsize)
    declared = re.match(r"sep=(.)\n", text)  # as Excel writes and reads it
    text = text.removeprefix(declared.group()) if declared else text
    delimiter = declared.group(1) if declared else _delimiter(text)
    lines = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True))
    lines, notes = capped(lines)
    return Reading("", tuple(table(lines)), notes=tuple(notes))


def is_delimited(text: str) -> bool:
    """Whether a text without a telling name is a table: some delimiter, equally often, in each of several lines."""
    lines = [line for line in text.splitlines()[:SAMPLE_LINES] if line.strip()]
    counts = [{line.count(delimiter) for line in lines} for delimiter in "\t;|,"]
    return len(lines) > 2 and any(
        len(count) == 1 and min(count) > (1 if at == 3 else 0) for at, count in enumerate(counts)
    )


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the most equally long rows."""
    lines = [line + "\n" for line in text[:200_000].splitlines()[:SAMPLE_LINES]]

    def evenness(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=1)
        return (widths.count(usual) / len(widths) if usual > 1 else 0, usual)

    return max(DELIMITERS, key=evenness)
