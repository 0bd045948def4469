"""Public question sets as exercises: each right answer in the sentence of the document that says it, emphasised there.

What a small model can learn is to find that sentence and to point at the words in it. Sentences that a machine has
rewritten would teach it a machine's grammar.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import ground, sentences
from bot.records import Passage, Question
from ingest import questions as files
from ingest import scratch
from ingest.readers.reading import Reading
from workers.style.consultant.exercises import Exercise, Material

LONGEST_SENTENCE = 40  # words; a longer one loses its end after the answer, or is left out
LONGEST_KEY = 0.8  # of a sentence's words; what answers with more of it needs no emphasis
MOST_SENTENCES = 2
HELD_OUT = 3  # of so many articles (or sites, or documents) one is kept for testing
# Where a sentence may end early and still be one.
_TAIL = re.compile(r";\s|,\s(?:while|whereas|although|which|who|where|but|including)\s")


@dataclass(frozen=True)
class _Set:
    """How a set is read: what its documents are held out by, and the sentences that answer a question."""

    name: str
    whole: Callable[[str], str]
    answer: Callable[[Question, str], str | None]
    most: int


def material(data: Path, seed: int) -> Iterator[tuple[str, Material, Material]]:
    """Of every set that lies in the folder: its name, what to learn from it, and what is held out of it."""
    for one in SETS:
        folder = data / one.name
        if (folder / "qa.jsonl").is_file():
            yield (one.name, *_parted(one, folder, seed))


def held_out(name: str, places: Sequence[str], seed: int) -> set[str]:
    """The documents of a set that are held out."""
    whole = next(one.whole for one in SETS if one.name == name)
    kept = _kept({whole(place) for place in places}, seed)
    return {place for place in places if whole(place) in kept}


def _kept(wholes: set[str], seed: int) -> set[str]:
    return set(random.Random(seed).sample(sorted(wholes), len(wholes) // HELD_OUT))


def _parted(one: _Set, folder: Path, seed: int) -> tuple[Material, Material]:
    texts = {name: (title, text) for name, title, text in files.load_texts(folder / "docs.jsonl")}
    asked = [question for question in files.load_questions(folder / "qa.jsonl") if question.answerable]
    held = _kept({one.whole(name) for name in texts}, seed)
    return tuple(  # type: ignore[return-value]
        _material(one, {name: text for name, text in texts.items() if (one.whole(name) in held) is kept}, asked, seed)
        for kept in (False, True)
    )


def _material(one: _Set, texts: dict[str, tuple[str, str]], questions: Sequence[Question], seed: int) -> Material:
    readings: list[tuple[str, Reading]] = scratch.from_texts(
        [(_filed(one, name), title, text) for name, (title, text) in texts.items()]
    )
    found = []
    for question in questions:
        for name in question.documents:
            answer = one.answer(question, texts[name][1]) if name in texts else None
            if answer:
                asked = re.sub(r" \([\w.]+\)$", "", question.text)  # the site, where the question is about one
                found.append(Exercise(asked, answer, _filed(one, name), _folder(one, name)))
                break
    return Material(readings, random.Random(seed).sample(found, min(one.most, len(found))))


def _filed(one: _Set, name: str) -> str:
    """A document's place: what stands together lies in a folder, where the question is asked."""
    place = name.replace("::", "/")
    return f"{_folder(one, name)}/{place.replace('/', '-')}" if _folder(one, name) else place


def _folder(one: _Set, name: str) -> str:
    return one.whole(name).replace("/", "-") if one.name == "policyqa" else ""


def pointed_at(question: Question, text: str) -> str | None:
    """The sentence of the text that holds a right answer, with the answer between `**`; None where there is none of a
    fit length. Of several the one that shares most words with the question."""
    found = [
        (one, answer) for one in sentences.split(text) for answer in question.answers if sentences.span(answer, one)[1]
    ]
    if not found:
        return None
    asked = set(re.findall(r"\w+", question.text.lower()))
    sentence, answer = max(found, key=lambda pair: len(asked & set(re.findall(r"\w+", pair[0].lower()))))
    start, end = sentences.span(answer, sentence)
    sentence = _cut(sentence, end)
    if len(sentence.split()) > LONGEST_SENTENCE or "*" in sentence:
        return None
    if len(answer.split()) > LONGEST_KEY * len(sentence.split()):
        return sentence
    return f"{sentence[:start]}**{answer}**{sentence[end:]}"


def said(question: Question, text: str) -> str | None:
    """The same without the emphasis: what annotators of policies marked is often a clause of no use by itself."""
    sentence = pointed_at(question, text)
    return sentence and sentence.replace("**", "")


def _cut(sentence: str, end: int) -> str:
    """The sentence up to the first place after the answer where it may end."""
    tail = _TAIL.search(sentence, end)
    if not tail or len(sentence[tail.start() :].split()) < 5:
        return sentence
    return sentence[: tail.start()].rstrip(" ,;:") + "."


def told(question: Question, text: str) -> str | None:
    """The first sentences of a long right answer, where the text supports them."""
    passage = Passage("", 0, "", "", "", None, text, 0.0)
    said = sentences.split(question.answers[0])[:MOST_SENTENCES]
    fit = [one for one in said if len(one.split()) <= LONGEST_SENTENCE and ground.support(one, [passage], [1])]
    return " ".join(fit) if fit and fit == said else None


def _article(name: str) -> str:
    return name.partition("::")[0]


SETS = (
    _Set("squad2", _article, pointed_at, 5000),
    _Set("policyqa", _article, said, 300),
    _Set("clapnq", str, told, 200),
)
