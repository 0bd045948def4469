"""The signs that the passages found answer a question, or that they only look like it: what `confidence` is judged by.

Every sign is a number that is higher where an answer is likelier, mostly in 0..1, and none costs a call of a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot import lexical
from bot.evidence import asked
from bot.evidence.asked import Asked
from bot.records import Passage


@dataclass(frozen=True)
class Unit:
    """A sentence of a passage: its rank's `score` and what that is made of (`traits`), its `own` stems in order, the
    stems of the title and heading that it stands under (`place`), and all stems of its passage, title and heading."""

    passage: Passage
    position: int
    text: str
    score: float
    traits: Mapping[str, float]
    own: tuple[str, ...]
    place: frozenset[str]
    around: frozenset[str]


def stems_of_passage(passage: Passage) -> frozenset[str]:
    """The stems of a passage with its title and heading."""
    return frozenset(lexical.stems(f"{passage.title} {passage.heading} {passage.text}"))


def of(question: Asked, units: Sequence[Unit], best: Unit) -> dict[str, float]:
    """The signs, seen from the best sentence."""
    near = [unit for unit in units if unit.passage is best.passage and abs(unit.position - best.position) <= 1]
    passages = {unit.passage.chunk_id: unit.passage for unit in units}.values()
    return {
        "cosine": max(unit.traits["cosine"] for unit in units),
        "coverage_anywhere": question.coverage(frozenset().union(*(unit.around for unit in units))),
        "one_document": sum(passage.document == best.passage.document for passage in passages) / len(passages),
        "found": best.traits["found"],
        "falls_off": 1 - min(unit.traits["found"] for unit in units),
        "kind": best.traits["kind"],
        "denial": float(not question.denies or asked.denies(best.text)),
        "denial_near": float(not question.denies or any(asked.denies(unit.text) for unit in near)),
        "no_opposite": float(not question.opposed_by(best.own)),
    }
