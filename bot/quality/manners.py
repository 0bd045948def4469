"""How often the classifiers of manners notice something in a set of questions: on questions that are to be answered,
how many would be refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot import manners
from bot.desk import Desk


@dataclass(frozen=True)
class Noticed:
    """Shares of the questions: refused as out of scope, and offered a person."""

    questions: int
    declined: float
    offered_person: float


def measure(desk: Desk, questions: Sequence[str]) -> Noticed:
    """Read all of these questions, which are taken as they stand, without a history."""
    vectors = desk.embeddings.embed_documents(list(questions))
    read = manners.read_all(desk, vectors)
    count = max(1, len(read))
    return Noticed(
        len(read),
        sum(manners.declines(manner) for manner in read) / count,
        sum(manners.wants_person(manner) for manner in read) / count,
    )
