"""The documents of one fictional company, written from the topics beside this file: which page says which fact.

It knows no questions; `companies` asks them.
"""

import random
import re
from dataclasses import dataclass, field

from workers.style.consultant import topics, wording
from workers.style.consultant.topics import Kind, Topic

LEAST_WORDS, MOST_WORDS = 45, 95  # of a page, before somebody hides an instruction in it
TRIES = 8


@dataclass(eq=False)
class Fact:
    """One thing that a page says: a topic with its slots filled. `rank` counts the same topic's facts on the page."""

    topic: Topic
    values: dict[str, str]
    sign: str
    questions: list[str]
    rank: int = 0
    page: int = 0
    injected: bool = False

    @property
    def is_cell(self) -> bool:
        return bool(self.topic.columns)


@dataclass
class Draft:
    """A page that is being written: its lines, each with the facts it holds."""

    document: str
    title: str
    heading: str
    glue: str = " "
    lines: list[tuple[str, list[Fact]]] = field(default_factory=list)

    @property
    def words(self) -> int:
        return sum(len(line.split()) for line, _ in self.lines)

    @property
    def text(self) -> str:
        return self.glue.join(line for line, _ in self.lines)

    @property
    def facts(self) -> list[Fact]:
        return [fact for _, held in self.lines for fact in held]


class Author:
    """Writes one company's documents."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.trade = rng.choice(topics.trades())
        self.values = {"name": self._name(), "device": rng.choice(self.trade["device"])}
        self.cases: dict[str, list[str]] = {}
        self.drawn: set[str] = set()

    def drafts(self) -> list[Draft]:
        """The company's pages, one or two of them with an instruction that somebody hid there."""
        possible = [kind for kind in topics.kinds() if not kind.needs or kind.needs in self.trade]
        tables = [kind for kind in possible if any(topic.columns for topic in kind.topics)]
        others = [kind for kind in possible if kind not in tables]
        chosen = tables + self.rng.sample(others, self.rng.randint(3, min(6, len(others))))
        places = {id(kind): self._place(kind) for kind in chosen}
        wanted = self.rng.randint(10, 16)
        kinds = [*chosen, chosen[0], *self.rng.choices(chosen, k=4 * wanted)]
        drafts: list[Draft] = []
        for kind in kinds:
            if len(drafts) < wanted and (draft := self._draft(kind, places[id(kind)])):
                drafts.append(draft)
        drafts.sort(key=lambda draft: draft.document)
        self._inject(drafts)
        for number, draft in enumerate(drafts):
            for fact in draft.facts:
                fact.page = number
        return drafts

    def _place(self, kind: Kind) -> tuple[str, str]:
        return self.rng.choice(kind.files), self.write(self.rng.choice(kind.titles))

    def _draft(self, kind: Kind, place: tuple[str, str]) -> Draft | None:
        """A page on one or two topics of a document; none where there is nothing left to say."""
        left = [topic for topic in kind.topics if len(self._cases(topic)) > 1]
        if not left:
            return None
        main, *rest = self.rng.sample(left, min(2, len(left)))
        if main.columns:
            return self._table(main, place)
        draft = Draft(*place, self.write(self.rng.choice(main.headings)))
        plan = [main] * self.rng.choice([2, 3, 3]) + rest * self.rng.choice([1, 1, 2])
        for topic in plan:
            if draft.words < MOST_WORDS - 25 and self._cases(topic):
                self._say(topic, draft)
        self._fill(draft)
        return draft

    def _fill(self, draft: Draft) -> None:
        """Sentences that say nothing, until the page is long enough, and some more."""
        filler = topics.phrases()["filler"]
        for template in self.rng.sample(filler, len(filler)):
            if draft.words < LEAST_WORDS or (draft.words < MOST_WORDS - 25 and self.rng.random() < 0.04):
                draft.lines.insert(self.rng.randint(0, len(draft.lines)), (self.write(template), []))

    def _say(self, topic: Topic, draft: Draft) -> None:
        sign = self.rng.choice("+-") if "+" in topic.page else ""
        values = self._bound(topic, self._take_case(topic), topic.said)
        rank = sum(fact.topic is topic for fact in draft.facts)
        fact = Fact(topic, values, sign, topic.questions, rank)
        draft.lines.append((self.write(self.rng.choice(topic.page[sign]), values), [fact]))

    def _table(self, topic: Topic, place: tuple[str, str]) -> Draft:
        draft = Draft(*place, self.write(self.rng.choice(topic.headings)), "\n")
        item = self.rng.choice(topic.slots["item"])
        least = min(2, len(topic.columns))
        chosen = self.rng.sample(topic.columns, self.rng.randint(least, len(topic.columns)))
        columns = [(self.rng.choice(column.names), column) for column in chosen]
        while self._cases(topic) and (draft.words < LEAST_WORDS - 5 or self.rng.random() < 0.4) and draft.words < 85:
            case = self._take_case(topic)
            cells, facts = [], []
            for name, column in columns:
                values = {**self._bound(topic, case, ""), "column": name[0].lower() + name[1:]}
                values["value"] = self._unused(column.value, values)
                cells.append(f"{name}: {values['value']}")
                facts.append(Fact(topic, values, "", list(column.questions), len(draft.lines)))
            said = facts[0].values["case"]
            draft.lines.append(("; ".join([f"{item}: {said[0].upper()}{said[1:]}", *cells]), facts))
        self._fill(draft)
        return draft

    def _cases(self, topic: Topic) -> list[str]:
        """What the topic has not yet been said of, so that no two pages contradict each other."""
        if topic.name not in self.cases:
            named = topic.slots["case"]
            every = self.trade.get(named[0].removeprefix("@"), []) if named[0].startswith("@") else named
            if any("{goods}" in case for case in every) and "goods" not in self.trade:
                every = []
            self.cases[topic.name] = self.rng.sample(every, len(every))
        return self.cases[topic.name]

    def _take_case(self, topic: Topic) -> str:
        return self._cases(topic).pop()

    def _bound(self, topic: Topic, case: str, said: str) -> dict[str, str]:
        """The slots of a fact: the same in the page, the questions and the answers. `asked` and `..._asked` are
        customers' words for it."""
        goods = self.rng.choice(self.trade["goods"]).split("~")[0] if "goods" in self.trade else "goods"
        values = {**self.values, "goods": goods}
        for slot, every in {**topic.slots, "case": [case]}.items():
            ours, *theirs = self.write(self.rng.choice(every), values, plain=True).split("~")
            values |= {slot: ours, f"{slot}_asked": self.rng.choice([ours, *theirs])}
        values["asked"] = values["case_asked"]
        for slot in sorted(wording.slots(said) & wording.DRAWS.keys()):
            values[slot] = self._unused(f"{{{slot}}}", values)
        return values

    def _unused(self, template: str, values: dict[str, str]) -> str:
        """A value that no other fact of the company has, as far as there are enough."""
        for _ in range(TRIES):
            text = self.write(template, values, plain=True)
            if text not in self.drawn:
                break
        self.drawn.add(text)
        return text

    def _inject(self, drafts: list[Draft]) -> None:
        """Somebody's instruction to the assistant beside the facts of one or two pages."""
        for draft in self.rng.sample(drafts, self.rng.choice([1, 2, 2])):
            at = self.rng.choice([n for n, (_, held) in enumerate(draft.lines) if held])
            for fact in draft.lines[at][1]:
                fact.injected = True
            line = self.write(self.rng.choice(topics.phrases()["inject"]))
            draft.lines.insert(at + self.rng.randint(0, 1), (line, []))

    def write(self, template: str, values: dict[str, str] | None = None, *, plain: bool = False) -> str:
        """A template filled with a fact's values, or the company's; with a capital unless `plain`."""
        text = wording.write(template, values or self.values, self.rng)
        return text if plain else re.sub(r"^(\*\*)?[a-z]", lambda match: match[0].upper(), text)

    def _name(self) -> str:
        one, other = wording.place_name(self.rng), wording.place_name(self.rng)
        word = self.rng.choice(self.trade["name"])
        return self.rng.choice([f"{one} {word}", f"{one} & {other} {word}", f"{word} {one}", f"{one} {other} {word}"])
