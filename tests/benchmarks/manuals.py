"""Manuals, policies and price lists of companies that do not exist: any number of Markdown files from one seed.

Sentences are drawn from the small grammar in `manuals.toml`, so that files share a language but not their sentences.
A file is about one thing of one company, and no other file is about that pair. It has a mark that no other file has,
and one fact that a question asks for in other words than the file's.
"""

import itertools
import random
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.records import Question

USUAL_WORDS = (150, 900)
LONGEST_SECTION = 200

GRAMMAR: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
NAMES: dict[str, list[str]] = GRAMMAR["names"]
SHAPES = ("prose", "prose", "list", "steps", "table")
TABLES = (("part", "price"), ("service", "price"), ("sign", "part"), ("goods", "who"))
TITLE = "[{line} {model} {thing}|The {thing} {line} {model}|{company}: {thing}], {kind}"
IMPRINT = "[Sheet|Edition|Leaflet] {mark}, kept by {person} at {company}."
ASKED = (
    "[the|a|my] {wanted} [from|by|made by] {company}",
    "[the|my] {line} {model}",
    "[the|my] {line} {model} {wanted}",
    "{company}'s {thing}",
)


@dataclass(frozen=True)
class Manual:
    """One file: its path, its Markdown, the question that it alone answers, and one that names its unique mark."""

    path: str
    text: str
    question: Question
    mark_question: str


def generate(count: int, seed: int = 0, words: tuple[int, int] = USUAL_WORDS) -> Iterator[Manual]:
    """The files of a seed, each of about so many words. Files of two seeds share no path and no mark."""
    rng = random.Random(seed)
    companies = [f"{name} {trade}" for name in NAMES["company"] for trade in NAMES["trade"]]
    pairs = [(company, thing) for company in companies for thing in GRAMMAR["things"]]
    for number, (company, thing) in enumerate(rng.sample(pairs, count)):
        mark = f"{chr(65 + seed // 26)}{chr(65 + seed % 26)}{number:05d}"
        model = str(1000 + 7919 * number % 9000)  # scattered, and none twice in the first 9,000
        yield _manual(_Slots(rng, company=company, thing=thing, model=model, mark=mark), f"manuals-{seed}", words)


def write(manuals: Iterable[Manual], folder: Path) -> None:
    """Put the files into a folder, in sub-folders by company and kind."""
    for manual in manuals:
        place = folder / manual.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(manual.text, encoding="utf-8")


def questions(manuals: Sequence[Manual], count: int, seed: int = 0) -> list[Question]:
    """The questions of some of the files."""
    return [manual.question for manual in random.Random(seed).sample(manuals, min(count, len(manuals)))]


def prose(words: int, seed: int = 0) -> str:
    """About so many words of running text, without Markdown."""
    (manual,) = generate(1, seed, (words, words))
    return re.sub(r"[#*|\s]+|--+", " ", manual.text)


def _manual(slots: "_Slots", folder: str, words: tuple[int, int]) -> Manual:
    rng, fact, kind = slots.rng, slots.rng.choice(GRAMMAR["facts"]), slots.rng.choice(list(GRAMMAR["sections"]))
    company, thing, mark = slots["company"], slots["thing"], slots["mark"]
    slots |= {"kind": kind, "line": rng.choice(NAMES["line"]), "wanted": GRAMMAR["things"][thing]}
    slots |= {"product": f"{slots['line']} {slots['model']}", "fact_part": slots["part"], "value": slots[fact["kind"]]}
    slots["asked"] = _drawn(slots, rng.choice(ASKED))
    sections = list(_sections(slots, rng.randint(words[0], max(words[0], words[1] - LONGEST_SECTION))))
    rng.choice(sections).insert(1, _sentence(slots, fact["said"]))
    blocks = [f"# {_sentence(slots, TITLE)}", _sentence(slots, IMPRINT), *(one for part in sections for one in part)]
    path = f"{folder}/{company.split()[0].lower()}/{kind.replace(' ', '-')}/{thing.replace(' ', '-')}-{mark}.md"
    asked = Question(mark, _sentence(slots, fact["asked"]), (slots["value"],), (path,), answerable=True)
    return Manual(path, "\n\n".join(blocks) + "\n", asked, f"Who at {company} keeps sheet {mark}?")


def _sections(slots: "_Slots", words: int) -> Iterator[list[str]]:
    """Sections as lists of blocks, their heading first, until there are enough words."""
    known = list(GRAMMAR["sections"][slots["kind"]].items())
    written = 0
    for number, (heading, sentences) in enumerate(itertools.cycle(slots.rng.sample(known, len(known)))):
        if written >= words:
            return
        again = ", {part}" if number >= len(known) else ""  # a long file comes back to a subject, for a part
        section = [f"## {_sentence(slots, heading + again)}", *_blocks(slots, sentences)]
        written += sum(len(block.split()) for block in section)
        yield section


def _blocks(slots: "_Slots", patterns: Sequence[str]) -> Iterator[str]:
    """A paragraph, a list, steps, or a paragraph and a table."""
    shape = slots.rng.choice(SHAPES)
    sentences = [_sentence(slots, one) for one in slots.rng.sample(patterns, slots.rng.randint(3, len(patterns)))]
    if shape == "list":
        yield "\n".join(f"- {sentence}" for sentence in sentences)
    elif shape == "steps":
        yield "\n".join(f"{n}. {sentence}" for n, sentence in enumerate(sentences, 1))
    else:
        yield " ".join(sentences)
    if shape == "table":
        yield _table(slots)


def _table(slots: "_Slots") -> str:
    left, right = slots.rng.choice(TABLES)
    row = f"| {{{left}}} | {{{right}}} | {{n}} {{time}} |"
    rows = [_drawn(slots, row) for _ in range(slots.rng.randint(3, 7))]
    return "\n".join([f"| {left.title()} | {right.title()} | Time |", "|---|---|---|", *rows])


class _Slots(dict[str, str]):
    """What a file fixes; every other word is drawn anew wherever it stands."""

    def __init__(self, rng: random.Random, **fixed: str) -> None:
        super().__init__(fixed)
        self.rng = rng

    def __missing__(self, kind: str) -> str:
        if kind in GRAMMAR["numbers"]:
            return str(self.rng.randint(*GRAMMAR["numbers"][kind]))
        return _drawn(self, self.rng.choice(GRAMMAR["words"].get(kind) or NAMES[kind]))


def _sentence(slots: _Slots, pattern: str) -> str:
    drawn = _drawn(slots, pattern)
    return drawn[:1].upper() + drawn[1:]


def _drawn(slots: _Slots, pattern: str) -> str:
    """A pattern with its choices made, the innermost first, and its words filled in."""
    while "[" in pattern:
        pattern = re.sub(r"\[([^\[\]]*)\]", lambda found: slots.rng.choice(found[1].split("|")), pattern)
    return pattern.format_map(slots)
