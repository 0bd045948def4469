"""What the reader learns from: questions with a few sentences, in which the answer stands or does not.

As in SQuAD 2.0 (Rajpurkar et al. 2018), a text without an answer is mostly one that looks like it has one: of the
sentences that do not answer, those that share words with the question; or those that answered it, until another name,
number or opposite came into it (`spoiled`).
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bot import sentences
from bot.lexical import stems
from ingest import questions as files
from workers.style.consultant import companies, public
from workers.style.consultant.companies import Ask, Company, Page
from workers.style.reader import spoiled

MOST_SENTENCES, MOST_WORDS = 5, 95
LONG, LONG_SHARE = 60, 0.2  # words; of longer texts so many are kept, which is one in twelve
TITLED = 0.7  # of SQuAD's texts, with their article's title
WITHOUT = 0.8  # of SQuAD's questions, asked also of a text that does not answer
SPOILED = 0.4  # of these, with the text that answered and the question spoiled, where it can be
SAME_PARAGRAPH = 0.5
LOOKED_AT = 12


class Example(NamedTuple):
    """A question to a text under a title and headings (`place`): the answer is `text[start:end]`; there is none where
    both are 0."""

    question: str
    place: str
    text: str
    start: int = 0
    end: int = 0


class Text:
    """A paragraph by its sentences."""

    def __init__(self, place: str, text: str) -> None:
        self.place, self.text, self.spans = place, text, sentences.places(text)
        self.stems = [frozenset(stems(text[start:end])) for start, end in self.spans]

    def around(self, at: int, chance: random.Random, without: int | None = None) -> tuple[int, int]:
        """From where to where a few sentences go that hold the one at `at`, and not the one at `without`."""
        count = chance.randint(1, MOST_SENTENCES)
        first = max(0, at - chance.randrange(count))
        last = min(len(self.spans), max(at + 1, first + count))
        if without is not None and first <= without < last:
            first, last = (without + 1, last) if without < at else (first, without)
        while last - first > 1 and len(self.text[self.spans[first][0] : self.spans[last - 1][1]].split()) > MOST_WORDS:
            first, last = (first, last - 1) if last - 1 > at else (first + 1, last)
        return self.spans[first][0], self.spans[last - 1][1]

    def asked(self, question: str, window: tuple[int, int], answer: tuple[int, int] = (0, 0)) -> Example:
        """The question to a part of the text, its answer by its place in the whole."""
        begin, end = window
        place = tuple(value - begin for value in answer) if any(answer) else answer
        return Example(question.strip(), self.place, self.text[begin:end], *place)

    def holding(self, start: int, end: int) -> int | None:
        """Which sentence holds a place of the text."""
        return next((n for n, (first, last) in enumerate(self.spans) if first <= start and end <= last), None)


def squad(file: Path, chance: random.Random) -> list[Example]:
    """SQuAD's training set in its publishers' format (v1.1 or v2.0, whose unanswerable questions are left out)."""
    made: list[Example] = []
    for article in json.loads(file.read_text(encoding="utf-8"))["data"]:
        title = article["title"].replace("_", " ")
        texts = [Text(title if chance.random() < TITLED else "", one["context"]) for one in article["paragraphs"]]
        for text, paragraph in zip(texts, article["paragraphs"], strict=True):
            for asked in paragraph["qas"]:
                if asked["answers"]:
                    made += _squad(asked["question"], asked["answers"][0], text, texts, chance)
    return [one for one in made if len(one.text.split()) <= LONG or chance.random() < LONG_SHARE]


def _squad(
    question: str, answer: dict[str, object], text: Text, texts: Sequence[Text], chance: random.Random
) -> Iterator[Example]:
    said, start = str(answer["text"]), int(str(answer["answer_start"]))
    at = text.holding(start, start + len(said))
    if at is None:
        return
    yield text.asked(question, text.around(at, chance), (start, start + len(said)))
    if chance.random() < WITHOUT:
        wrong = spoiled.question(question, text.text, [one.text for one in texts], chance)
        if wrong and chance.random() < SPOILED:
            yield text.asked(wrong, text.around(at, chance))
            return
        other = _like(question, said, at, text, texts, chance)
        if other and said.lower() not in other.text.lower():
            yield other


def _like(
    question: str, said: str, at: int, text: Text, texts: Sequence[Text], chance: random.Random
) -> Example | None:
    """The question to sentences that do not answer it and share words with it."""
    found = [(text, n) for n, (start, end) in enumerate(text.spans) if n != at and said not in text.text[start:end]]
    if not found or chance.random() > SAME_PARAGRAPH:
        others = [one for one in chance.sample(list(texts), min(8, len(texts))) if one is not text]
        found = [(one, n) for one in others if said not in one.text for n in range(len(one.spans))] or found
    return _likest(question, found, (text, at), chance)


def _likest(
    question: str, found: Sequence[tuple[Text, int]], answer: tuple[Text, int], chance: random.Random
) -> Example | None:
    if not found:
        return None
    asked = set(stems(question))
    text, n = max(found, key=lambda one: len(asked & one[0].stems[one[1]]) + 1.5 * chance.random())
    return text.asked(question, text.around(n, chance, answer[1] if text is answer[0] else None))


def kept(data: Path, seed: int) -> list[str]:
    """The articles of squad2 that are not learned from: those that the consultant's maker keeps, too."""
    names = [name for name, _, _ in files.load_texts(data / "squad2" / "docs.jsonl")]
    return sorted({name.partition("::")[0] for name in public.held_out("squad2", names, seed)})


def squad2(data: Path, seed: int, chance: random.Random) -> tuple[list[Example], list[Example]]:
    """Of the articles to learn from, and, as whole paragraphs, of those that are kept: SQuAD 2.0's questions, half of
    which have no answer."""
    texts = {name: Text(title, text) for name, title, text in files.load_texts(data / "squad2" / "docs.jsonl")}
    articles = kept(data, seed)
    made: tuple[list[Example], list[Example]] = ([], [])
    for line in (data / "squad2" / "qa.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        held, text = row["context_doc_id"].partition("::")[0] in articles, texts[row["context_doc_id"]]
        asked = set(stems(row["question"]))
        stand = [span for answer in row["answers"] for span in _standing(answer, text)]
        if row["answerable"] and not stand:
            continue
        at, *answer = (
            max(stand, key=lambda one: len(asked & text.stems[one[0]]))
            if stand
            else (max(range(len(text.spans)), key=lambda n: len(asked & text.stems[n])), 0, 0)
        )
        window = (0, len(text.text)) if held else text.around(at, chance)
        made[held].append(text.asked(row["question"], window, (answer[0], answer[1])))
    return made


def _standing(words: str, text: Text) -> list[tuple[int, int, int]]:
    """The sentences that hold some words, and where these begin and end."""
    found = []
    for n, (start, end) in enumerate(text.spans):
        at = text.text.lower().find(words.lower(), start, end)
        if words and at >= 0:
            found.append((n, at, at + len(words)))
    return found


def ours(seed: int, chance: random.Random) -> tuple[list[Example], list[Example]]:
    """Of fictional companies, to learn from and kept: tables, prices, terms, other people's instructions."""
    to_learn, held_out = companies.parted(seed)
    examined = [one for company in held_out for one in _of(company, chance)]
    return [one for company in to_learn for one in _of(company, chance)], examined


def _of(company: Company, chance: random.Random) -> Iterator[Example]:
    pages = {page: Text(f"{page.title} - {page.heading}", page.text) for page in company.pages}
    for ask in company.asks:
        yield from _ours(ask, company.pages[ask.page], pages, chance)


def _ours(ask: Ask, page: Page, pages: dict[Page, Text], chance: random.Random) -> Iterator[Example]:
    question, text = ask.standalone or ask.question, pages[page]
    key, told = re.search(r"\*\*([^*]+)\*\*", ask.answer), set(stems(ask.answer.replace("**", "")))
    if not key or not text.spans:
        return
    if stand := _standing(key[1], text):
        at, *answer = max(stand, key=lambda one: len(told & text.stems[one[0]]))
    else:  # a yes or no: the sentence that says it
        at = max(range(len(text.spans)), key=lambda n: len(told & text.stems[n]))
        answer = list(text.spans[at])
    yield text.asked(question, text.around(at, chance), (answer[0], answer[1]))
    found = [(text, n) for n in range(len(text.spans)) if n != at]
    found += [
        (other, n) for one, other in pages.items() if one.document != page.document for n in range(len(other.spans))
    ]
    without = _likest(question, chance.sample(found, min(LOOKED_AT, len(found))), (text, at), chance)
    if without:
        yield without
