"""Does one sentence deny what another affirms, or say "before" where it says "after"? Judged on words and their order;
it does not know what is true."""

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot import lexical

_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|nowhere|cannot|without|neither|nor|unable|excluded|hardly|rarely|seldom)\b"
    r"|n['’]t\b",
    re.I,
)
# What looks like a denial and is none, and denials that are bounds.
_REPHRASED = [
    (re.compile(pattern, re.I), instead)
    for pattern, instead in (
        (r"\bnot only\b(?=.*\bbut\b)", " "),
        (r"\bwhether or not\b", "whether"),
        (r"\bno\.\s?(?=\d)", "number "),
        (r"\b(?:(?:no|not) (?:more|longer|later|greater|higher) than|at most|up to)\b", "atmost"),
        (r"\b(?:(?:no|not) (?:less|fewer|earlier|lower) than|at least)\b", "atleast"),
    )
]
_CLAUSE = re.compile(r"[,;:()]|\bbut\b|\balthough\b|\bwhile\b|\bwhereas\b", re.I)
_OPPOSITES = [
    tuple(frozenset(side.split()) for side in pair.split("|"))
    for pair in (
        "before earlier|after later",
        "more over above exceeding atleast minimum|less fewer under below atmost maximum",
        "most|least",
        "always|never sometimes",
        "all every|some few",
        "increase increases increased rise rises rose|decrease decreases decreased fall falls fell",
        "include includes included including|exclude excludes excluded excluding except",
        "allowed permitted|forbidden prohibited",
        "open opens opened|close closes closed",
        "enable enables enabled|disable disables disabled",
        "first|last",
    )
]
_REACH = 6  # so many words of content after it a denial can speak of
_NEAR = 2  # and of so many it surely does
NEGATIONS = frozenset(lexical.stems("no not never cannot without none neither nor"))


@dataclass(frozen=True)
class Clause:
    """A part of a sentence between commas: its stems, and for each denial the stems that follow it."""

    stems: tuple[str, ...]
    denied: tuple[tuple[str, ...], ...]

    @property
    def denies(self) -> bool:
        """Whether there is a denial in it."""
        return bool(self.denied)


@functools.lru_cache(maxsize=4096)
def clauses(sentence: str) -> tuple[Clause, ...]:
    """The clauses of a sentence, in order."""
    return tuple(_clauses(rephrased(sentence)))


def agree(claim: str, quote: str, ignoring: frozenset[str] = frozenset()) -> bool:
    """Whether a claim denies what the quote denies, affirms what it affirms, and bounds the same way. `ignoring` are
    stems that say nothing (politeness)."""
    claimed, quoted = clauses(claim), clauses(quote)
    return (
        all(_like_the_nearest(clause, quoted, ignoring) for clause in claimed)
        and _denials_stand(claimed, quoted)
        and not _opposed(claim, quote)
    )


def rephrased(sentence: str) -> str:
    """The sentence with its bounds and seeming denials said in one way: "no more than" is "atmost"."""
    for pattern, instead in _REPHRASED:
        sentence = pattern.sub(instead, sentence)
    return sentence


def _clauses(sentence: str) -> Iterator[Clause]:
    start = 0
    for match in _CLAUSE.finditer(sentence + ","):
        denials = _NEGATION.finditer(sentence, start, match.start())
        yield Clause(_stems(sentence[start : match.start()]), tuple(_scope(sentence[one.end() :]) for one in denials))
        start = match.end()


def _scope(after: str) -> tuple[str, ...]:
    """What a denial can speak of: the stems that follow up to the next denial, also behind a comma, but not outside of
    its brackets."""
    return _stems(_NEGATION.split(re.split(r"[);]", after)[0])[0])[:_REACH]


def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem for stem in lexical.stems(text) if stem not in NEGATIONS)


def _like_the_nearest(clause: Clause, others: tuple[Clause, ...], ignoring: frozenset[str]) -> bool:
    """Whether the other's clause that speaks of the same denies or affirms likewise. What a denial surely speaks of is
    looked for everywhere, not here."""
    stems = frozenset(clause.stems) - ignoring
    nearest = max(others, key=lambda other: (len(stems & set(other.stems)), other.denies == clause.denies))
    if not stems & set(nearest.stems):
        return not (stems and clause.denies)
    if clause.denies and _spoken(clause.denied, others):
        return True
    return nearest.denies == clause.denies


def _spoken(denied: Sequence[Sequence[str]], others: Sequence[Clause]) -> set[str]:
    """The first thing that each denial speaks of, where the others speak of it, too."""
    known = {stem for clause in others for stem in clause.stems}
    first = (next((stem for stem in scope[:_NEAR] if stem in known), "") for scope in denied)
    return {stem for stem in first if stem}


def _denials_stand(claimed: Sequence[Clause], quoted: Sequence[Clause]) -> bool:
    """Whether what the claim denies is denied in the quote, and the claim affirms of what the quote denies no more than
    the quote affirms elsewhere."""
    mine, its = _denied(claimed), _denied(quoted)
    surely_denied = _spoken([scope for clause in claimed for scope in clause.denied], quoted)
    if not surely_denied <= its.keys():
        return False
    kept_back = _spoken([scope for clause in quoted for scope in clause.denied], claimed) - mine.keys()
    said, there = _said(claimed), _said(quoted)
    return all(said[stem] <= there[stem] - its[stem] for stem in kept_back)


def _denied(clauses: Sequence[Clause]) -> Counter[str]:
    return Counter(stem for clause in clauses for scope in clause.denied for stem in set(scope))


def _said(clauses: Sequence[Clause]) -> Counter[str]:
    return Counter(stem for clause in clauses for stem in clause.stems)


def _opposed(claim: str, quote: str) -> bool:
    said, there = set(lexical.words(rephrased(claim))), set(lexical.words(rephrased(quote)))
    return any(
        said & mine and there & its and not there & mine and not said & its
        for one, two in _OPPOSITES
        for mine, its in ((one, two), (two, one))
    )
