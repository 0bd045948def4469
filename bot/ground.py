"""Is this sentence supported by these passages? Nothing that fails here reaches a customer (DESIGN rule 3).

A sentence is supported by a few neighbouring sentences of one passage when every number and name in it stands there,
both deny or both affirm, and nearly all of its other content words stand there too. It judges words, not truth.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot import sentences
from bot.lexical import stems, words
from bot.records import Passage

WINDOW = 3
LEAST_COVERAGE = 0.7
# Politeness claims nothing, so it needs no source.
COURTESY = frozenset(stems("happy glad help sure course certainly please thank thanks sorry welcome hello hi dear yes"))
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
    if not claim.stems and not claim.numbers:
        return None
    found = [
        (n in cited, coverage, -len(quote), passage, quote)
        for n, passage in enumerate(passages, start=1)
        for quote in windows(passage.text)
        if (coverage := claim.coverage(quote, passage)) >= LEAST_COVERAGE
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


def windows(text: str) -> Iterator[str]:
    """Every run of up to three neighbouring sentences, as exact substrings."""
    spans, start = [], 0
    for sentence in sentences.split(text):
        begin = text.index(sentence, start)
        start = begin + len(sentence)
        spans.append((begin, start))
    for first in range(len(spans)):
        for last in range(first, min(first + WINDOW, len(spans))):
            yield text[spans[first][0] : spans[last][1]]


@dataclass(frozen=True)
class _Claim:
    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    denies: bool

    @classmethod
    def of(cls, sentence: str) -> "_Claim":
        content = frozenset(stems(_NUMBER.sub(" ", sentence))) - COURTESY - _NUMBER_WORDS.keys()
        return cls(content, _numbers(sentence), _names(sentence), _NEGATION.search(sentence) is not None)

    @property
    def claims_something(self) -> bool:
        return bool(self.stems or self.numbers)

    def coverage(self, quote: str, passage: Passage) -> float:
        """The share of the claim's content words that stand in the quote; 0 where a hard fact does not."""
        there = f"{passage.title} {passage.heading} {quote}"
        if not self.numbers <= _numbers(there) or not self.names <= set(words(there)):
            return 0.0
        if self.denies != (_NEGATION.search(quote) is not None):
            return 0.0
        return len(self.stems & set(stems(there))) / len(self.stems) if self.stems else 1.0


def _numbers(text: str) -> frozenset[str]:
    digits = {number.strip(".,:/") for number in _NUMBER.findall(text)}
    return frozenset(digits | {_NUMBER_WORDS[word] for word in words(text) if word in _NUMBER_WORDS})


def _names(sentence: str) -> frozenset[str]:
    # The first word is capitalised in any case, and so is one that follows a colon.
    inside = re.findall(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w’'-]+", sentence)
    return frozenset(part for name in inside for part in words(name)) - _SMALL


_SMALL = frozenset("i we you our your if it the a an yes no ll re ve s d m t".split())
