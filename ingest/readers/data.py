"""Structured data: JSON, JSON lines, YAML and, through `xml`, what XML files hold.

A record (an object in a list) becomes one row of "key: value"; an object in an object gets a heading of its own.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from bot.errors import UnreadableDocument
from ingest.readers.reading import Block, Reading, first_heading, heading

# A record longer than this is not one row but a section, headed by its name.
LONGEST_ROW = 600
MOST_FIELDS = 1_000
MOST_BLOCKS = 100_000
NAMES = ("title", "name", "question", "subject", "id")


def read_json(text: str, name: str) -> Reading:
    """A JSON file, or one JSON value a line."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        value = _lines(text)
        if value is None:
            raise UnreadableDocument(f"'{name}' is damaged: it is not valid JSON ({error}).") from error
    return outline(value)


def read_yaml(text: str, name: str) -> Reading:
    """A YAML file of one or more documents."""
    import yaml  # only here, since every text is looked at for JSON

    try:
        values = list(yaml.load_all(text, yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise UnreadableDocument(f"'{name}' is damaged: it is not valid YAML.") from error
    return outline(values[0] if len(values) == 1 else values)


def is_json(text: str) -> bool:
    """Whether the text is JSON or JSON lines, even if cut off after its first lines."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return _lines(text) is not None
    return True


def outline(value: Any) -> Reading:
    """Any nested value as headings, rows and text."""
    blocks = tuple(itertools.islice(_walk("", value, 1), MOST_BLOCKS + 1))
    notes = (f"What follows the first {MOST_BLOCKS} entries was left out.",) if len(blocks) > MOST_BLOCKS else ()
    return Reading(first_heading(blocks), blocks[:MOST_BLOCKS], notes=notes)


def _lines(text: str) -> list[Any] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        values = [json.loads(line) for line in lines]
    except ValueError:
        return None
    return values if len(values) > 1 and isinstance(values[0], dict | list) else None


def _walk(key: str, value: Any, level: int) -> Iterator[Block]:
    if isinstance(value, dict):
        yield from _object(key, value, level)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        if key:
            yield heading(key, level)
        for item in value:
            yield from _record(item, level + 1)
    elif (text := _scalar(value)) != "":
        yield Block("text", f"{key}: {text}" if key else text)


def _object(key: str, value: dict[Any, Any], level: int) -> Iterator[Block]:
    named = value.get("title") or value.get("name") if not key else ""
    title = key or (named if isinstance(named, str) else "")
    if title:
        yield heading(title, level)
    plain = {name: item for name, item in value.items() if not isinstance(item, dict | list)}
    yield from _fields((str(name), _scalar(item)) for name, item in plain.items())
    for name, item in value.items():
        if isinstance(item, dict | list):
            yield from _walk(str(name), item, level + bool(title))


def _record(item: Any, level: int) -> Iterator[Block]:
    fields = list(itertools.islice(_flat("", item), MOST_FIELDS))
    row = _joined(fields)
    if len(row) <= LONGEST_ROW or not isinstance(item, dict):
        yield Block("row", row)
        return
    name = next((str(item[key]) for key in NAMES if isinstance(item.get(key), str | int)), "")
    if name:
        yield heading(name[:200], level)
    yield from _fields(iter(fields))


def _fields(fields: Iterator[tuple[str, str]]) -> Iterator[Block]:
    """Short fields together in rows, a long one as a paragraph of its own."""
    held: list[tuple[str, str]] = []
    for key, text in fields:
        if len(text) > LONGEST_ROW / 2:
            yield from ([Block("row", _joined(held))] if held else [])
            held = []
            yield Block("text", f"{key}: {text}" if key else text)
        elif text != "":
            held.append((key, text))
    if held:
        yield Block("row", _joined(held))


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), item)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for item in value:
            yield from _flat(key, item)
    elif (text := _scalar(value)) != "":
        yield key, text


def _joined(fields: list[tuple[str, str]]) -> str:
    return "; ".join(f"{key}: {text}" if key else text for key, text in fields)


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_scalar(item) for item in value)
    return {None: "", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)
