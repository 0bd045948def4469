"""The style score of one text: 0..100, the weighted mean of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot import sentences
from bot.style.closeness import Approved
from bot.style.guide import Style
from bot.style.parts import PARTS, Part

CLOSENESS = "closeness"
LEAST_KEPT = 0.8


@dataclass(frozen=True)
class StyleScore:
    """`total` in 0..100; `parts` by name, those alone that the style asks for."""

    total: float
    parts: dict[str, Part]

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the score is not higher, the worst first."""
        lost = sorted((part for part in self.parts.values() if part.value < 1), key=lambda part: part.value)
        return tuple(part.why for part in lost)


def score(text: str, style: Style, approved: Approved | None = None) -> StyleScore:
    """How well an answer keeps to the house style; with `approved`, also how near it is to what reviewers approved.
    Citation markers and marks of emphasis are not the answer's words. Raises `ModelUnavailable` for `approved` alone.
    """
    said = sentences.without_markers(text.replace("**", ""))
    parts = {name: part for name, judge in PARTS.items() if (part := judge(said, style)) is not None}
    if approved is not None:
        parts[CLOSENESS] = approved.closeness(said)
    weights = {name: style.weights.get(name, 1.0) for name in parts}
    whole = sum(weights.values())
    total = sum(weights[name] * part.value for name, part in parts.items()) / whole if whole else 1.0
    return StyleScore(round(100 * total, 1), parts)


def as_kept(style: Style, answers: Sequence[str], least: float = LEAST_KEPT) -> Style:
    """The style without the wishes that these approved answers do not keep themselves: their parts weigh nothing. So a
    `style.yaml` that was written for another voice judges nobody."""
    scores = [score(text, style) for text in answers]
    values = {name: [one.parts[name].value for one in scores if name in one.parts] for name in PARTS}
    broken = [name for name, found in values.items() if found and fmean(found) < least]
    return style.model_copy(update={"weights": {**style.weights, **dict.fromkeys(broken, 0.0)}})
