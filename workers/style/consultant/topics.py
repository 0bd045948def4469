"""What the fictional companies write about: topics, trades and phrases, read from the Markdown tables beside this file.

In `topics.md` a document is `# kind: file names: titles`, a topic `## name: headings`; then come its slots
(`slot = value~how a customer calls it | value`), and lines for the page (`>`), the question (`?`) and the answer (`!`).
Lines marked `+` affirm and lines marked `-` deny, for questions with a yes or a no. `| names | value | questions |` is
a column of a table.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Column:
    """A column of a table: the names it may have, the template of its cells, and questions for a cell."""

    names: tuple[str, ...]
    value: str
    questions: tuple[str, ...]


@dataclass
class Topic:
    """One kind of fact. The lines are kept by their sign: "" for all facts, "+" and "-" for a yes and a no."""

    name: str
    headings: list[str]
    slots: dict[str, list[str]] = field(default_factory=dict)
    page: dict[str, list[str]] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)

    @functools.cached_property
    def said(self) -> str:
        """All templates together, which tells the slots they use."""
        lines = [line for lines in (*self.page.values(), *self.answers.values()) for line in lines]
        cells = [question for column in self.columns for question in column.questions]
        return " ".join([*lines, *self.questions, *cells])


@dataclass
class Kind:
    """A kind of document, with the names and titles it may have. `needs` is what a trade must have for it."""

    files: list[str]
    titles: list[str]
    needs: str = ""
    topics: list[Topic] = field(default_factory=list)


def choices(text: str) -> list[str]:
    """The alternatives of a line."""
    return [part.strip() for part in text.split(" | ")]


@functools.cache
def kinds() -> tuple[Kind, ...]:
    """All kinds of documents."""
    found: list[Kind] = []
    for line in _lines("topics.md"):
        if line.startswith("# "):
            _, files, titles = line.split(": ", 2)
            found.append(Kind(choices(files), choices(titles)))
        elif line.startswith("## "):
            name, headings = line[3:].split(": ", 1)
            found[-1].topics.append(Topic(f"{found[-1].files[0]} {name}", choices(headings)))
        elif line.startswith("needs = "):
            found[-1].needs = line.removeprefix("needs = ")
        else:
            _read(line, found[-1].topics[-1])
    return tuple(found)


@functools.cache
def trades() -> tuple[dict[str, list[str]], ...]:
    """All trades, each with its goods, services, places and devices, as far as it has them."""
    found: list[dict[str, list[str]]] = []
    for line in _lines("trades.md"):
        if line.startswith("# "):
            found.append({})
        else:
            slot, values = line.split(" = ", 1)
            found[-1][slot] = choices(values)
    return tuple(found)


@functools.cache
def phrases() -> dict[str, list[str]]:
    """Sentences that say nothing, instructions that somebody hid in a page, and things that no document says."""
    found: dict[str, list[str]] = {}
    for line in _lines("phrases.md"):
        if line.startswith("# "):
            held = found[line[2:]] = []
        else:
            held.append(line)
    return found


def _read(line: str, topic: Topic) -> None:
    sign = line[0] if line[0] in "+-" else ""
    mark, text = line.removeprefix(sign).split(" ", 1)
    if mark == ">":
        topic.page.setdefault(sign, []).append(text)
    elif mark == "?":
        topic.questions.append(text)
    elif mark == "!":
        topic.answers.setdefault(sign, []).append(text)
    elif mark == "|":
        names, value, questions = choices(text)
        topic.columns.append(Column(tuple(names.split(" / ")), value, tuple(questions.split(" / "))))
    else:
        topic.slots[mark] = choices(text.removeprefix("= "))


def _lines(name: str) -> Iterator[str]:
    return filter(None, (HERE / name).read_text().splitlines())
