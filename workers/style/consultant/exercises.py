"""Questions with their answers, made into lessons: the prompt that the consult chain sends for them, and the answer
with the numbers of the excerpts that bear it out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bot import consult, evidence, ground, prompts, retrieve, sentences, telling
from bot.desk import Desk
from bot.lexical import stems
from bot.records import Passage, Turn
from ingest import scratch
from ingest.readers.reading import Reading
from workers.style.lessons import Lesson, quotes

Tell = Callable[[str], None]

_KEY = re.compile(r"\*\*([^*]+)\*\*")
MOST_ALIKE = 0.7  # of the words of two questions together that both have


@dataclass(frozen=True)
class Exercise:
    """A question to the documents of a folder, the document that answers it, and the answer: full sentences without
    citations, the words that answer between `**`."""

    question: str
    answer: str
    document: str
    folder: str
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Material:
    """Exercises and the documents, as (name, reading), that they are about."""

    readings: Sequence[tuple[str, Reading]] = field(repr=False)
    exercises: Sequence[Exercise] = field(repr=False)


def apart(material: Material, others: Sequence[str]) -> Material:
    """The material without the exercises whose question has nearly the same words as one of the others."""
    known = [set(stems(question)) for question in others]
    kept = [
        one
        for one in material.exercises
        for words in [set(stems(one.question))]
        if not any(len(words & other) > MOST_ALIKE * len(words | other) for other in known)
    ]
    return replace(material, exercises=kept)


def pointed_out(answer: str) -> str:
    """The answer with the words between `**` named in a line of their own behind it. A small model that has to mark
    them within the sentence while it copies it is never sure enough where to begin, and marks nothing."""
    keys = _KEY.findall(answer)
    return "\n".join([answer.replace("**", ""), *(f"**{key}**" for key in keys[:1])])


def lessons(desk: Desk, material: Material, tell: Tell) -> list[Lesson]:
    """The exercises whose answers the search brings up, as lessons: in the prompt that the chain sends or, where that
    leaves out what answers, in the same about nothing but what answers."""
    made: list[Lesson | None] = []
    with scratch.library(desk, material.readings, tell) as library:
        for number, one in enumerate(material.exercises, start=1):
            made.append(_lesson(library, one))
            tell(f"asked {number} of {len(material.exercises)}")
    return [lesson for lesson in made if lesson]


def _lesson(desk: Desk, one: Exercise) -> Lesson | None:
    """None where the passages that the search brings up do not bear the answer out."""
    k = desk.settings.passages
    passages = retrieve.search(desk, one.question, k, one.history, collection=one.folder, copies=False)
    queries = retrieve.standalone(one.question, one.history, desk, one.folder)
    read = evidence.weigh(desk, queries, passages).excerpts
    answer = cited(one, read) or cited(one, read := _quoted(one, passages))
    messages = consult.messages(desk, prompts.load("answer"), queries[-1], read)
    return Lesson(prompts.plain(messages), answer) if answer else None


def _quoted(one: Exercise, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages with nothing in them but what bears the answer out."""
    own = [passage for passage in passages if passage.document == one.document]
    return telling.alone(quotes(one.answer.replace("**", ""), own), passages)


def cited(one: Exercise, excerpts: Sequence[Passage]) -> str:
    """The answer with its numbers; nothing where a sentence of it does not stand in an excerpt of its document."""
    own = [excerpt for excerpt in excerpts if excerpt.document == one.document]
    answer: list[str] = []
    for sentence in sentences.split(one.answer):
        plain = sentence.replace("**", "")
        if answer and plain.startswith(ground.UNSAID):
            answer.append(plain)
            continue
        support = ground.support(plain, own)
        if support is None:
            return ""
        answer.append(sentences.with_marker(sentence, excerpts.index(support.passage) + 1))
    return " ".join(answer)
