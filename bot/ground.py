"""Is this sentence supported by these passages? Nothing that fails here reaches a customer (DESIGN rule 3).

A sentence is supported when one sentence of a passage, read under its title and heading, holds every figure and name
in it and in the same roles, denies where it denies, and holds nearly all of its other content words, or fewer of them
where the embeddings of both are near. A word that stands only in another sentence of the passage is a sign of mixed-up
subjects, and refuses it. It judges words, not truth.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.embeddings import Embeddings

from bot import courtesy, sentences
from bot.claims import denial, doers, facts, names, roles, rows, verbs
from bot.claims.facts import Fact
from bot.lexical import stem, stems, words
from bot.records import Passage


@dataclass(frozen=True)
class Bar:
    """What a supported sentence must reach: `coverage` by its words alone, or `least_coverage` where the cosine of
    sentence and quote is at least `cosine`. Measured by `bot.quality.verification`; LOG.md has the sweep."""

    coverage: float = 0.8
    least_coverage: float = 0.5
    cosine: float = 0.7


BAR = Bar()
LEAST_TOLD = 0.3  # of a quote's words that are not the question's
MOST_UNTOLD = 2  # of them, where a plain yes is an answer
LEAST_SAID = 0.6  # of the words of a plain sentence, in another that is to say the same
COURTESY = courtesy.POLITE | denial.NEGATIONS  # these claim nothing by themselves; denial is compared by itself
# A quote with a pronoun is about somebody or something in the sentence before it.
_POINTS_BACK = re.compile(
    r"^(?:it|its|this|these|that|those|both|the (?:role|former|latter))\b|\b(?:he|she|they|his|her|their)\b", re.I
)
_PARTS = re.compile(
    r"\s*(?:;|,\s*(?:(?:and|but|whereas|while|however)\b,?|(?=(?:it|he|she|they)\b))"
    r"|\band\b(?=\s+(?:it|he|she|they)\b))\s*"
)
# A part without a subject of its own could be taken for one about another subject.
_NO_SUBJECT = re.compile(
    r"(?:must|can|may|will|would|should|is|are|was|were|be|has|have|had|does|do|not|in|on|at|by|to|from|for|with)\b",
    re.I,
)
# So begins what an answer says of the part of a question that stays open. A new clause could claim something after all.
UNSAID = "Our documents do not say"
_ASKS_ONLY = frozenset(stems("whether"))
_NEW_CLAUSE = re.compile(r"[;:()]|,(?!\s*n?or\b)|\b(?:but|although|though|while|whereas|however|yet)\b", re.I)
# A question that "yes" would answer: it begins like one, and asks for nothing else.
_YES_OR_NO = re.compile(
    r"(?:^|[.,;:!?]\s+)(?:(?:and|but|or|so|hi|hello|please)\s+)?"
    r"(?:is|are|am|was|were|do|does|did|can|could|may|might|must|will|would|should|shall|has|have|had)\b",
    re.I,
)
_ASKS_FOR_MORE = re.compile(r"\b(?:how|what|when|where|which|who|whom|whose|why)\b", re.I)
MOST_PARTS = 3
MOST_BETWEEN = 1  # sentences, between those that the parts stand in
LEAST_PART = 3  # content words and figures
_ASIDE = re.compile(r"\s*\([^()]*\)")


@dataclass(frozen=True)
class Support:
    """What supports a sentence: `quote` is an exact substring of the passage's text, `coverage` lies in 0..1."""

    passage: Passage
    quote: str
    coverage: float


def support(
    sentence: str,
    passages: Sequence[Passage],
    cited: Sequence[int] = (),
    embeddings: Embeddings | None = None,
    bar: Bar = BAR,
) -> Support | None:
    """The best support among the passages; those that the sentence cites (numbered from 1) win over others. With
    `embeddings` a paraphrase may use other words than the quote; its figures, names and denials may not differ. Raises
    `ModelUnavailable` where the embedding model does not answer."""
    claim = _Claim.of(sentences.without_markers(sentence), passages)
    if not claim.claims_something:
        return None
    least = bar.least_coverage if embeddings else bar.coverage
    found = [
        _Candidate(n in cited, coverage, passage, quote)
        for n, passage in enumerate(passages, start=1)
        for setting, quote in _quotes(passage)
        if (coverage := claim.coverage(quote, setting)) >= least and claim.holds(quote, setting, passage)
    ]
    enough = [one for one in found if one.coverage >= bar.coverage]
    if embeddings and not enough:
        enough = _near(claim.text, found, embeddings, bar.cosine)
    if not enough:
        return _in_parts(claim.text, passages, cited, bar)
    best = max(enough, key=lambda one: (one.cited, one.coverage, -len(one.quote)))
    return Support(best.passage, best.quote, best.coverage)


def unsupported(text: str, passages: Sequence[Passage], embeddings: Embeddings | None = None) -> list[str]:
    """The sentences of a text that no passage supports; mere politeness is not among them."""
    return [
        sentence
        for sentence in sentences.split(text)
        if _Claim.of(sentences.without_markers(sentence), passages).claims_something
        and not courtesy.is_all(sentences.without_markers(sentence))
        and not support(sentence, passages, embeddings=embeddings)
    ]


def tells(sentence: str, quote: str, question: str) -> bool:
    """Whether a sentence says enough of what a quote says beyond the question: a figure, or a share of its words. "You
    can use the GPS if you like" is supported and of no use, except to who asks whether one can and where the quote says
    hardly more."""
    asked, told = facts.figures(question), facts.figures(sentences.without_markers(sentence))
    if any(not any(figure.agrees(other) for other in asked) for figure in told):
        return True
    news = frozenset(stems(quote)) - COURTESY - frozenset(stems(question))
    asks_whether = _YES_OR_NO.search(question) and not _ASKS_FOR_MORE.search(question)
    given = news & frozenset(stems(sentence))
    return len(given) >= LEAST_TOLD * len(news) or bool(asks_whether and len(news - given) <= MOST_UNTOLD)


def says(sentence: str, plain: str) -> bool:
    """Whether one text says what another says: all of its figures, and most of its words that claim something."""
    said, told = (facts.figures(sentences.without_markers(text)) for text in (sentence, plain))
    claimed = _content(sentences.without_markers(plain))
    return all(any(figure.agrees(other) for other in said) for figure in told) and (
        len(claimed & _stems(sentence)) >= LEAST_SAID * len(claimed)
    )


def leaves_open(sentence: str, question: str, company: str) -> bool:
    """Whether a sentence only says that the documents do not answer a part of the question: "Our documents do not say"
    and a clause in words of the question and the company's name, without a figure. It claims nothing and needs no
    source."""
    said = sentences.without_markers(sentence)
    rest = set(stems(said.removeprefix(UNSAID))) - _ASKS_ONLY
    return (
        said.startswith(f"{UNSAID} ")
        and bool(rest)
        and rest <= set(stems(f"{question} {company}"))
        and not facts.figures(said)
        and not _NEW_CLAUSE.search(said)
    )


@dataclass(frozen=True)
class _Candidate:
    cited: bool
    coverage: float
    passage: Passage
    quote: str


@dataclass(frozen=True)
class _Setting:
    """What a quote is read under: title and heading, and, where a pronoun points back, the sentence before it."""

    title: str
    before: str

    @property
    def text(self) -> str:
        return f"{self.title} {self.before}"


@dataclass(frozen=True)
class _Claim:
    text: str
    stems: frozenset[str]
    figures: tuple[Fact, ...]
    names: tuple[Fact, ...]
    known: frozenset[str]

    @classmethod
    def of(cls, sentence: str, passages: Sequence[Passage]) -> "_Claim":
        known = names.known_in(tuple(f"{passage.title}. {passage.heading}. {passage.text}" for passage in passages))
        return cls(sentence, _content(sentence), facts.figures(sentence), names.within(sentence, known), known)

    @property
    def claims_something(self) -> bool:
        return bool(self.stems or self.figures or self.names)

    def holds(self, quote: str, setting: _Setting, passage: Passage) -> bool:
        """Whether a quote holds the claim's facts, in their roles, and its denials, and no other sentence its words."""
        quoted = facts.figures(quote)
        return (
            self._counts([*quoted, *facts.figures(setting.title), *facts.apart(f"{setting.title} {quote}")])
            and self._names_stand_in(f"{setting.text} {quote}", passage)
            and denial.agree(self.text, quote, COURTESY)
            and doers.agree(self.text, quote)
            and any(self._roles_are_kept(text) for text in _with_and_without_asides(quote))
            and not self._mixes(f"{setting.text} {quote}", passage)
        )

    def coverage(self, quote: str, setting: _Setting) -> float:
        """The share of the claim's content words in the quote; one that only its setting holds counts half."""
        if not self.stems:
            return 0.0  # a bare number says nothing
        said, named = _stems(quote), set(stems(setting.text))
        return (len(self.stems & said) + len(self.stems & (named - said)) / 2) / len(self.stems)

    def _counts(self, there: Sequence[Fact]) -> bool:
        """Whether every figure is there, as often as it is claimed, and counts the same."""
        return all(
            (agreeing := [other for other in there if figure.agrees(other)])
            and sum(figure.agrees(other) for other in self.figures) <= len(agreeing)
            and not _counts_another(figure, agreeing, there)
            for figure in self.figures
        )

    def _names_stand_in(self, text: str, passage: Passage) -> bool:
        there = set(map(stem, words(text))) | set(re.findall(r"\b[A-Z]\b", text))
        there |= {one + two for one, two in itertools.pairwise(words(text))}  # "South East" is "Southeast"
        return all(_stands(name, there, passage) for name in self.names)

    def _roles_are_kept(self, quote: str) -> bool:
        figures, named = facts.figures(quote), names.within(quote, self.known)
        first = names.first_word(self.text)
        # a first word that the quote does not have may be a strange name in the place of the quote's
        strange = [first] if first and not set(names.parts(first)) & {*stems(quote), *courtesy.POLITE} else []
        if rows.cells(quote):
            told, there = [*self.figures, *self.names], [*figures, *named]
            return roles.kept(self.text, strange, quote, named) and rows.kept(self.text, told, quote, there)
        return (
            roles.kept(self.text, self.figures, quote, figures)
            and roles.kept(self.text, [*self.names, *strange], quote, named)
            and roles.paired(self.figures, self.names, figures, named)
        )

    def _mixes(self, said: str, passage: Passage) -> bool:
        return bool((self.stems - _stems(said)) & _stems(passage.text))


def _content(sentence: str) -> frozenset[str]:
    return _stems(facts.without(sentence)) - COURTESY


@functools.lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    """The stems of a text whose bounds, seeming denials and irregular verbs are said in one way."""
    return frozenset(stems(verbs.plain(denial.rephrased(text))))


def _stands(name: Fact, there: set[str], passage: Passage) -> bool:
    """Whether a name stands there, or a part of one that the passage has in full elsewhere ("Isaiah Bowman")."""
    parts = set(names.parts(name))
    if parts <= there:
        return True
    return bool(parts & there) and any(name.agrees(other) for other in names.within(passage.text))


def _counts_another(figure: Fact, agreeing: Sequence[Fact], there: Sequence[Fact]) -> bool:
    """Whether the quote counts the same noun with another number: "3 adults" out of "2 adults and 3 children"."""
    if not figure.unit or any(other.unit == figure.unit for other in agreeing):
        return False
    return any(other.unit == figure.unit for other in there)


def _with_and_without_asides(quote: str) -> list[str]:
    """The quote, and the quote without what stands in brackets, which comes between what belongs together."""
    bare = quote
    while (shorter := _ASIDE.sub(" ", bare)) != bare:
        bare = shorter
    return [quote, bare] if bare != quote else [quote]


@functools.lru_cache(maxsize=512)
def _quotes(passage: Passage) -> tuple[tuple[_Setting, str], ...]:
    title = f"{passage.title} {passage.heading}"
    found, before = [], ""
    for quote in sentences.split(passage.text):
        found.append((_Setting(title, before if _POINTS_BACK.search(quote) else ""), quote))
        before = quote
    return tuple(found)


def _in_parts(sentence: str, passages: Sequence[Passage], cited: Sequence[int], bar: Bar) -> Support | None:
    """The support of a compound sentence whose parts stand, each by itself and by its words alone, in sentences
    of one passage near each other; the quote is the run of these sentences."""
    parts = [part for part in _PARTS.split(sentence) if part]
    if not 1 < len(parts) <= MOST_PARTS or any(_weight(part) < LEAST_PART for part in parts):
        return None
    for _, passage in sorted(enumerate(passages, start=1), key=lambda one: one[0] not in cited):
        found = [one for part in parts if (one := _support_of_part(part, passage, bar))]
        if len(found) < len(parts) or not all(map(_has_its_subject, parts[1:], found[1:])):
            continue
        if run := _run([one.quote for one in found], passage):
            return Support(passage, run, min(one.coverage for one in found))
    return None


def _has_its_subject(part: str, found: Support) -> bool:
    """Whether a part is no less about something than what it stands in: it has a subject, or begins as that does."""
    return not _NO_SUBJECT.match(part) or words(found.quote)[: len(words(part))] == words(part)


def _weight(part: str) -> int:
    return len(_content(part)) + len(facts.figures(part))


def _support_of_part(part: str, passage: Passage, bar: Bar) -> Support | None:
    return support(part, [passage], bar=Bar(bar.coverage, bar.coverage, 1.0))


def _run(quotes: Sequence[str], passage: Passage) -> str:
    """From the first to the last of these sentences, where they lie near each other."""
    starts = sorted(passage.text.index(quote) for quote in quotes)
    ends = sorted(passage.text.index(quote) + len(quote) for quote in quotes)
    run = passage.text[starts[0] : ends[-1]]
    return run if len(sentences.split(run)) <= len(set(quotes)) + MOST_BETWEEN else ""


def _near(text: str, found: Sequence[_Candidate], embeddings: Embeddings, least: float) -> list[_Candidate]:
    """The candidates whose quotes, alone or in their place, mean about the same as the text, by the cosine of unit
    vectors: "hire a tent" is near "The person who books" under "Tent rental"."""
    if not found:
        return []
    placed = [one.passage.placed(one.quote) for one in found]
    vectors = np.array(embeddings.embed_documents([text, *(one.quote for one in found), *placed]))
    alone, under = np.split(vectors[1:] @ vectors[0], 2)
    return [one for one, cosine in zip(found, np.maximum(alone, under), strict=True) if float(cosine) >= least]
