"""The signs that the passages found answer a question, or that they only look like it: what `confidence` is judged by.

Every sign is a number that is higher where an answer is likelier, in 0..1. `bot/LOG.md` has those that were tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.evidence import asked
from bot.evidence.asked import Asked
from bot.records import Passage


@dataclass(frozen=True)
class Unit:
    """A sentence of a passage: its rank's `score` and what that is made of (`traits`), its `own` stems in order, and
    the `words` of it that may be the answer."""

    passage: Passage
    position: int
    text: str
    score: float
    traits: Mapping[str, float]
    own: tuple[str, ...]
    words: str = ""


def of(question: Asked, units: Sequence[Unit], best: Unit) -> dict[str, float]:
    """The signs, seen from the best sentence."""
    near = [unit for unit in units if unit.passage is best.passage and abs(unit.position - best.position) <= 1]
    return {
        "reads": best.traits["reads"],
        "cosine": max(unit.traits["cosine"] for unit in units),
        "found": best.traits["found"],
        "denial": float(not question.denies or asked.denies(best.text)),
        "denial_near": float(not question.denies or any(asked.denies(unit.text) for unit in near)),
    }
