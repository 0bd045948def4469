"""What the classifiers of manners learn from: our own templates of questions, each of one topic, and their blanks.

`topics.jsonl` says how questions of a topic are meant, `templates.jsonl` how they are put, `slots.jsonl` what may stand
in their blanks. All of it was written for this project.
"""

import functools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILLINGS = 4  # texts made of one template
_BLANK = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Topic:
    """A kind of question, and how all of its kind are meant: `scope` in | out, `sentiment` calm | upset, `urgency`
    routine | urgent."""

    topic: str
    scope: str
    sentiment: str
    urgency: str


@dataclass(frozen=True)
class Row:
    """A question of a topic. `weight` makes the fillings of one template count for less than as many templates."""

    text: str
    topic: str
    template: str
    weight: float


@functools.cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the order of the file."""
    return tuple(Topic(**line) for line in _lines("topics.jsonl"))


@functools.cache
def shipped() -> tuple[Row, ...]:
    """Every template with its blanks filled, the same texts each time."""
    slots = {line["slot"]: line["words"] for line in _lines("slots.jsonl")}
    rows = []
    for line in _lines("templates.jsonl"):
        texts = _filled(line["text"], slots)
        rows += [Row(text, line["topic"], line["text"], len(texts) ** -0.5) for text in texts]
    return tuple(rows)


def _filled(template: str, slots: dict[str, list[str]]) -> list[str]:
    if not _BLANK.search(template):
        return [template]
    chance = random.Random(template)
    # drawn without replacement, so that two blanks of one kind never hold the same words
    orders = {name: chance.sample(slots[name], len(slots[name])) for name in sorted(set(_BLANK.findall(template)))}
    drawn = {name: iter(order * FILLINGS) for name, order in orders.items()}
    return list(dict.fromkeys(_BLANK.sub(lambda blank: next(drawn[blank[1]]), template) for _ in range(FILLINGS)))


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with (HERE / name).open(encoding="utf-8") as file:
        yield from map(json.loads, file)
