"""Is this sentence supported by these passages? Nothing that fails here reaches a customer (DESIGN rule 3).

A sentence is supported when one sentence of a passage, read under its title and heading, holds every number and name
in it, denies where it denies, and holds nearly all of its other content words. A word that stands only in another
sentence of the passage is a sign of mixed-up subjects, and refuses it. It judges words, not truth.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot import sentences
from bot.lexical import stems, words
from bot.records import Passage

LEAST_COVERAGE = 0.8
# Politeness and auxiliary words claim nothing, so they need no source; denial is compared clause by clause.
COURTESY = frozenset(
    stems("happy glad help sure course certainly please thank thanks sorry welcome hello hi dear yes get let know want")
) | frozenset(stems("no not never cannot without"))
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|cannot|without|neither|nor|unable|excluded)\b|n['’]t\b", re.I
)
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_NUMBER_WORDS = dict(
    zip("one two three four five six seven eight nine ten eleven twelve".split(), map(str, range(1, 13)), strict=True)
)


@dataclass(frozen=True)
class Support:
    """What supports a sentence: `quote` is an exact substring of the passage's text, `coverage` lies in 0..1."""

    passage: Passage
    quote: str
    coverage: float


def support(sentence: str, passages: Sequence[Passage], cited: Sequence[int] = ()) -> Support | None:
    """The best support among the passages; those that the sentence cites (numbered from 1) win over others."""
    claim = _Claim.of(sentences.without_markers(sentence))
    if not claim.claims_something:
        return None
    found = [
        (n in cited, coverage, -len(quote), passage, quote)
        for n, passage in enumerate(passages, start=1)
        for quote in sentences.split(passage.text)
        if claim.holds(quote, passage) and (coverage := claim.coverage(quote, passage)) >= LEAST_COVERAGE
    ]
    if not found:
        return None
    _, coverage, _, passage, quote = max(found, key=lambda one: one[:3])
    return Support(passage, quote, coverage)


def unsupported(text: str, passages: Sequence[Passage]) -> list[str]:
    """The sentences of a text that no passage supports; mere politeness is not among them."""
    return [
        sentence
        for sentence in sentences.split(text)
        if _Claim.of(sentences.without_markers(sentence)).claims_something and not support(sentence, passages)
    ]


@dataclass(frozen=True)
class _Claim:
    stems: frozenset[str]
    facts: frozenset[str]
    clauses: tuple["_Clause", ...]

    @classmethod
    def of(cls, sentence: str) -> "_Claim":
        content = frozenset(stems(_NUMBER.sub(" ", sentence))) - COURTESY - _NUMBER_WORDS.keys()
        clauses = tuple(clause for clause in _clauses(sentence) if clause.stems)
        return cls(content, _numbers(sentence) | _names(sentence), clauses)

    @property
    def claims_something(self) -> bool:
        return bool(self.stems or self.facts)

    def holds(self, quote: str, passage: Passage) -> bool:
        """Whether one sentence of a passage holds the claim's facts and its denial, and no other sentence its words."""
        there = f"{passage.title} {passage.heading} {quote}"
        facts = _numbers(there) | set(words(there)) | set(re.findall(r"\b[A-Z]\b", there))
        if not self.facts <= facts or not all(clause.agrees_with(quote) for clause in self.clauses):
            return False
        return not (self.stems - set(stems(there))) & set(stems(passage.text))

    def coverage(self, quote: str, passage: Passage) -> float:
        """The share of the claim's content words in the quote; one that only title or heading hold counts half."""
        if not self.stems:
            return 0.0  # a bare number says nothing
        said, named = set(stems(quote)), set(stems(f"{passage.title} {passage.heading}"))
        return (len(self.stems & said) + len(self.stems & (named - said)) / 2) / len(self.stems)


@dataclass(frozen=True)
class _Clause:
    stems: frozenset[str]
    denies: bool

    def agrees_with(self, quote: str) -> bool:
        """Whether the part of the quote that speaks of the same denies or affirms likewise."""
        nearest = max(_clauses(quote), key=lambda clause: len(self.stems & clause.stems))
        return self.denies == nearest.denies


def _clauses(sentence: str) -> list[_Clause]:
    parts = re.split(r"[,;:]|\bbut\b", sentence)
    return [_Clause(frozenset(stems(part)) - COURTESY, _NEGATION.search(part) is not None) for part in parts]


def _numbers(text: str) -> frozenset[str]:
    digits = {number.strip(".,:/") for number in _NUMBER.findall(text)}
    return frozenset(digits | {_NUMBER_WORDS[word] for word in words(text) if word in _NUMBER_WORDS})


def _names(sentence: str) -> frozenset[str]:
    """Capitalised words in lower case, and single capitals as they are ("Zone B"). The first word of a sentence, and
    one after a colon, is capitalised in any case."""
    inside = re.findall(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w’'-]*", sentence)
    return frozenset(part for name in inside for part in ([name] if len(name) == 1 else words(name))) - _NO_NAMES


_NO_NAMES = frozenset("I i we you your our if it the yes no ll re ve s d m t".split())
