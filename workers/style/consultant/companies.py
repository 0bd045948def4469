"""Fictional companies with documents and questions, drawn from a seed, to learn how customers are answered from pages.

Every figure, name and condition is drawn anew, so that only reading the page gives the answer. An answer that
`bot.ground` does not find in its page is dropped. It knows neither the model nor how lessons are written from this.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot import ground
from bot.records import Passage
from workers.style.consultant import topics, wording
from workers.style.consultant.documents import TRIES, Author, Fact

TO_LEARN, HELD_OUT = 140, 6
KINDS = {"plain": 55, "table": 15, "distractor": 10, "followup": 8, "injected": 7, "partial": 5}
ANSWER_WORDS = range(5, 36)
FOLLOWUPS = (
    "and [for|with] {asked}?",
    "what about {asked}?",
    "And {asked}?",
    "how about {asked}",
    "and what about {asked}",
    "Same for {asked}?",
    "ok. {asked}?",
    "Thanks. And for {asked}?",
    "is it the same for {asked}?",
)


@dataclass(frozen=True)
class Page:
    """A piece of a company's document, as long as a passage; `text` is sentences, or table rows on lines."""

    document: str
    title: str
    heading: str
    text: str


@dataclass(frozen=True)
class Ask:
    """A customer's question and its answer from `Company.pages[page]`, the words that answer between two stars.

    `history` are earlier turns, beginning with the user's; `standalone` spells a follow-up out. The second sentence of
    a "partial" answer names what the documents do not say.
    """

    question: str
    answer: str
    page: int
    history: tuple[str, ...] = ()
    standalone: str = ""
    kind: str = "plain"


@dataclass(frozen=True)
class Company:
    """A company's pages, and what its customers ask."""

    name: str
    pages: tuple[Page, ...]
    asks: tuple[Ask, ...]


def parted(seed: int) -> tuple[list[Company], list[Company]]:
    """The companies to learn from, and those that are held out."""
    made = companies(seed, TO_LEARN + HELD_OUT)
    return made[HELD_OUT:], made[:HELD_OUT]


def companies(seed: int, count: int) -> list[Company]:
    """So many companies; the same seed gives the same ones."""
    return [_company(random.Random(f"{seed} {number}")) for number in range(count)]


def supported(answer: str, page: Page) -> bool:
    """Whether a page, by its words alone, supports an answer's first sentence."""
    passage = Passage("", 0, page.document, page.title, page.heading, None, page.text, 1.0)
    sentence = _first(answer).replace("**", "")
    return ground.support(sentence, [passage], [1], None) is not None


def _first(answer: str) -> str:
    """An answer without the sentence that says what stays open."""
    return answer.partition(f" {ground.UNSAID} ")[0]


def _company(rng: random.Random) -> Company:
    author = Author(rng)
    drafts = author.drafts()
    pages = tuple(Page(draft.document, draft.title, draft.heading, draft.text) for draft in drafts)
    facts = [fact for draft in drafts for fact in draft.facts]
    asks = _Customers(author).asks(facts, pages, rng.randint(18, 30))
    return Company(author.values["name"], pages, tuple(asks))


class _Customers:
    """Ask about what an author wrote, and are answered."""

    def __init__(self, author: Author) -> None:
        self.rng = author.rng
        self._write = author.write

    def asks(self, facts: list[Fact], pages: tuple[Page, ...], wanted: int) -> Iterator[Ask]:
        """About as many questions as wanted; those whose answers are not sound are left out."""
        asked: set[str] = set()
        makers = {"followup": self._followup, "partial": self._partial}
        for kind in self.rng.choices(list(KINDS), list(KINDS.values()), k=wanted):
            fitting = [fact for fact in facts if _fits(fact, kind)]
            for _ in range(TRIES if fitting else 0):
                ask = makers.get(kind, self._plain)(self.rng.choice(fitting), facts, kind)
                if ask and ask.question not in asked and _sound(ask, pages[ask.page]):
                    asked.add(ask.question)
                    yield ask
                    break

    def _plain(self, fact: Fact, _: list[Fact], kind: str) -> Ask:
        return Ask(wording.typed(self._question(fact), self.rng), self._answer(fact), fact.page, kind=kind)

    def _partial(self, fact: Fact, _: list[Fact], kind: str) -> Ask:
        more = {slot: wording.DRAWS[slot](self.rng) for slot in ("colour", "city", "tongue")} | fact.values
        also, unsaid = self.rng.choice(topics.phrases()["partial"]).split(" :: ")
        also = self._write(also, more, plain=True)
        first = self._question(fact)
        joined = first.rstrip("?.") + f", and {also}?" if first.endswith("?") else f"{first.rstrip('.')} and {also}"
        if ". " in first or self.rng.random() < 0.2:
            joined = f"{first.rstrip('?.')}? {also[0].upper()}{also[1:]}?"
        answer = f"{self._answer(fact)} {ground.UNSAID} {self._write(unsaid, more, plain=True)}."
        return Ask(wording.typed(joined, self.rng), answer, fact.page, kind=kind)

    def _followup(self, fact: Fact, facts: list[Fact], kind: str) -> Ask | None:
        """A question about one case, and then what it is for the other."""
        others = [
            one
            for one in facts
            if one.topic is fact.topic
            and one.values["case"] != fact.values["case"]
            and all(one.values.get(slot) == fact.values.get(slot) for slot in ("column", "guest", "money", "for"))
        ]
        if not others:
            return None
        earlier = self.rng.choice(others)
        history = wording.typed(self._question(earlier), self.rng), self._answer(earlier).replace("**", "")
        the = "the " if any(f"{article} {{asked}}" in fact.topic.said for article in ("the", "a")) else ""
        asked = {**fact.values, "asked": the + fact.values["asked"]}
        question = self._write(self.rng.choice(FOLLOWUPS), asked, plain=True)
        return Ask(question, self._answer(fact), fact.page, history, self._question(fact), kind)

    def _question(self, fact: Fact) -> str:
        return self._write(self.rng.choice(fact.questions), fact.values)

    def _answer(self, fact: Fact) -> str:
        return self._write(self.rng.choice(fact.topic.answers[fact.sign]), fact.values)


def _fits(fact: Fact, kind: str) -> bool:
    if kind == "injected" or fact.injected:
        return kind == "injected" and fact.injected
    if kind in ("plain", "distractor"):
        return not fact.is_cell and (fact.rank > 0) == (kind == "distractor")
    return kind != "table" or fact.is_cell


def _sound(ask: Ask, page: Page) -> bool:
    """Whether an answer has its length and its one key, and stands in the page."""
    first = _first(ask.answer)
    return (
        len(first.split()) in ANSWER_WORDS
        and re.fullmatch(r"[^*]*\*\*[^*]+\*\*[^*]*", first) is not None
        and supported(ask.answer, page)
    )
