"""An approved row as a style will meet it: what the base has answered, in the prompt that a consultation sends, and the
rewrite to learn."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot import consult, conversations, evidence, feedback, ground, prompts, sentences, telling
from bot.desk import Desk
from bot.ground import Support
from bot.records import Feedback, Passage
from workers.style.curate import Curated, curate


@dataclass(frozen=True)
class Lesson:
    """One example: chat messages (`{role, content}`) and what is to be answered. `fact_weight`, 0..1, says how much the
    loss counts on tokens that carry facts (`workers.style.factual`), where the base has the rest to say. `worse` is
    what the bot had answered and a reviewer rewrote; empty where it was approved as it was. `question` is what the
    customer asked, without the passages. Of a `replayed` answer, which is the base's own, nothing but what the base
    finds likely is learned."""

    messages: tuple[dict[str, str], ...]
    answer: str
    fact_weight: float = 1.0
    worse: str = ""
    question: str = ""
    replayed: bool = False


def fit_rows(desk: Desk) -> Curated:
    """The approved rows, as the model would be shown them, curated."""
    rows = feedback.trainable(desk.database)
    origins = conversations.origins(desk.database, [row.answer_id for row in rows])
    customers = {answer_id: customer for answer_id, (_, customer) in origins.items()}
    return curate([as_shown(desk, row) for row in rows], customers)


def as_shown(desk: Desk, row: Feedback) -> Feedback:
    """The row with its passages cut down to the excerpts that the consultation shows; whole where the rewrite says more
    than these."""
    shown = replace(row, evidence=evidence.weigh(desk, [row.question], row.evidence).excerpts)
    return row if ground.unsupported(row.rewrite, shown.evidence) else shown


def lesson(desk: Desk, row: Feedback) -> Lesson:
    """The row as a prompt and an answer whose markers `[n]` number the passages of that prompt. To read there is what a
    style reads in a consultation: what the bot had answered or, where the rewrite says more, what supports it."""
    prompt = prompts.load("answer", desk.database)
    if prompt.reasoning:
        prompt = prompts.load("answer")  # a lesson holds no thoughts that lead to its answer
    read = _answered(row)
    answer, before = _cited(row.rewrite, read), _cited(row.answer, read)
    return Lesson(
        messages=prompts.plain(consult.messages(desk, prompt, row.question, read)),
        answer=answer,
        fact_weight=desk.settings.train_fact_weight,
        question=row.question,
        worse="" if before == answer else before,
    )


def _answered(row: Feedback) -> tuple[Passage, ...]:
    """The passages with nothing in them but the answer, or the quotes behind the rewrite, if that is as much as the
    rewrite says; else as they are."""
    for told in (_told(row.answer, row.evidence), quotes(row.rewrite, row.evidence)):
        read = telling.alone(told, row.evidence)
        if read and not ground.unsupported(row.rewrite, read):
            return read
    return row.evidence


def _told(answer: str, passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """The supported sentences of an answer, each with its passage's chunk id; of a quotation what is quoted."""
    return [
        (found.passage.chunk_id, found.quote if found.quote in sentence else sentences.without_markers(sentence))
        for sentence, found in _supports(answer, passages)
    ]


def quotes(rewrite: str, passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """What supports each supported sentence of a rewrite: its passage's chunk id, and the quote."""
    return [(found.passage.chunk_id, found.quote) for _, found in _supports(rewrite, passages)]


def _supports(text: str, passages: Sequence[Passage]) -> Iterator[tuple[str, Support]]:
    for sentence in sentences.split(text):
        if found := ground.support(sentence, passages, sentences.markers(sentence)):
            yield sentence, found


def _cited(text: str, passages: Sequence[Passage]) -> str:
    return " ".join(_with_marker(sentence, passages) for sentence in sentences.split(text))


def _with_marker(sentence: str, passages: Sequence[Passage]) -> str:
    """The sentence with the number of the passage that supports it: a customer's page counts citations otherwise."""
    words = sentences.without_markers(sentence)
    support = ground.support(sentence, passages, cited=sentences.markers(sentence))
    if support is None:
        return words
    n = passages.index(support.passage) + 1
    return re.sub(r"([.!?…]*)$", rf" [{n}]\1", words, count=1)
