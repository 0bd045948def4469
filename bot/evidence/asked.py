"""What a question asks for: its words by how much they say, the names and figures in it, the kind of answer it wants,
and whether it denies. It reads the question alone and knows of no passage."""

import itertools
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bot import lexical
from bot.claims import denial, facts, names

Kind = Literal["number", "time", "name", "anything"]

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "time",
        re.compile(r"\bwhen\b|\b(?:what|which|in|until what) (?:year|date|day|month|century|decade|time)\b", re.I),
    ),
    (
        "number",
        re.compile(
            r"\bhow (?:many|much|long|old|often|far|high|tall|large|big|fast|deep|wide|heavy)\b"
            r"|\bwhat (?:is the )?(?:number|percent\w*|amount|share|proportion|price|cost|fee|rate|population)\b"
            r"|\bwhat (?:do|does|did|would|will)\b.*\b(?:cost|weigh|charge|pay)\b",
            re.I,
        ),
    ),
    (
        "name",
        re.compile(
            r"\b(?:who|whom|whose|where)\b"
            r"|\b(?:what|which|in) (?:country|city|town|place|state|region|street)\b"
            r"|\b(?:what|which) (?:person|king|president|author|company)\b",
            re.I,
        ),
    ),
)
_MONTHS_AND_SPANS = frozenset(
    lexical.stems("january february march april june july august september october november december daily century age")
) | frozenset(lexical.stems("monday tuesday wednesday thursday friday saturday sunday spring summer autumn winter"))
_MONEY = "euro dollar pound yen cent"
_LENGTHS = "kilometre metre centimetre millimetre mile foot inch"
_SPANS = "second minute hour day night week month year"
# What is measured, and the units that it comes in (those of `facts.UNITS`); any other number comes in any.
_MEASURES = (
    (re.compile(r"\bhow (?:many|often|old|fast)\b", re.I), frozenset[str]()),
    (re.compile(r"\bhow heavy\b|\bweigh(?:t|s)?\b", re.I), frozenset("kilogram gram tonne pound".split())),
    (re.compile(r"\bhow (?:far|tall|high|wide|deep)\b", re.I), frozenset(_LENGTHS.split())),
    (re.compile(r"\bhow long\b", re.I), frozenset(f"{_SPANS} {_LENGTHS}".split())),
    (re.compile(r"\bhow (?:hot|cold|warm)\b", re.I), frozenset({"degree"})),
    (re.compile(r"\b(?:price|costs?|fee|charge|pay)\b", re.I), frozenset(f"{_MONEY} percent".split())),
)
_SPEAKER = re.compile(r"\b(?:i|my|me|we|our|us)\b|\bwhat if\b", re.I)


@dataclass(frozen=True)
class Asked:
    """`weights` says how much each stem of the question says (its inverse document frequency, 0..1 of the rarest that
    there can be); `pairs` are its neighbouring stems; `names` are stems, `figures` exact facts."""

    text: str
    weights: Mapping[str, float]
    pairs: frozenset[tuple[str, str]]
    names: frozenset[str]
    figures: frozenset[facts.Value]
    kind: Kind
    denies: bool

    @cached_property
    def whole(self) -> float:
        """The sum of the weights."""
        return sum(self.weights.values())

    def coverage(self, stems: Collection[str]) -> float:
        """How much of what the question says is among these stems, 0..1."""
        return sum(weight for stem, weight in self.weights.items() if stem in stems) / self.whole if self.whole else 0.0

    def pairs_in(self, stems: Sequence[str]) -> float:
        """The share of the question's neighbouring words that are neighbours here, too, with at most one between."""
        there = {*itertools.pairwise(stems), *zip(stems, stems[2:], strict=False)}
        return len(self.pairs & there) / len(self.pairs) if self.pairs else 0.0

    def kind_stands_in(self, sentence: str) -> bool:
        """Whether a sentence holds something of the kind that is asked for, which the question did not say itself."""
        if self.kind == "anything":
            return True
        if self.kind == "name":
            return bool(names_in(sentence) - self.names - self.weights.keys())
        new = {fact.value for fact in _figures(sentence) if self._is_measured_in(fact.unit)} - self.figures
        return bool(new) or (self.kind == "time" and bool(_MONTHS_AND_SPANS.intersection(lexical.stems(sentence))))

    @cached_property
    def units(self) -> frozenset[str]:
        """Those that a number which is asked for may come in; none where any will do."""
        found = (units for measure, units in _MEASURES if measure.search(self.text))
        return next(found, frozenset()) if self.kind == "number" else frozenset()

    def _is_measured_in(self, unit: str) -> bool:
        """Whether what is asked for may come in a unit; a table's figures may have theirs in a header, or nowhere."""
        return not self.units or not unit or unit in self.units


def read(question: str, found: Mapping[str, int], total: int) -> Asked:
    """A question, given in how many of `total` chunks each of its content words was `found`."""
    terms = lexical.content_words(question)
    stems = [lexical.stem(term) for term in terms]
    rarest = math.log((total + 1) / 0.5)
    weights = {
        stem: math.log((total + 1) / (found.get(term, 0) + 0.5)) / rarest
        for stem, term in zip(stems, terms, strict=True)
    }
    return Asked(
        text=question,
        weights={stem: max(weight, 0.0) for stem, weight in weights.items()},
        pairs=frozenset(itertools.pairwise(stems)),
        names=names_in(question),
        figures=figures_in(question),
        kind=next((kind for kind, pattern in _KINDS if pattern.search(question)), "anything"),
        denies=denies(question) and not _SPEAKER.search(question),
    )


def denies(text: str) -> bool:
    """Whether there is a denial in a text."""
    return any(clause.denies for clause in denial.clauses(text))


def names_in(text: str) -> frozenset[str]:
    """The stems of the names in a text."""
    return frozenset(part for name in names.within(text) for part in names.parts(name))


def figures_in(text: str) -> frozenset[facts.Value]:
    """The numbers, dates and times in a text, without their units. A code, like a model's, answers no "how many"."""
    return frozenset(fact.value for fact in _figures(text))


def _figures(text: str) -> list[facts.Fact]:
    return [fact for fact in facts.figures(text) if fact.kind != "code"]
