"""How well the verification tells true sentences from false ones: the share stopped of sentences corrupted in one
number, date, name or denial, and of true ones, at the bar in use and at others.

True sentences are those of the documents, their paraphrases by rule, and right answers that are sentences; each is
judged against the passages that a search would show: its own, with neighbours.
"""

import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from langchain_core.embeddings import Embeddings

from bot import ground, sentences
from bot.ground import BAR, Bar
from bot.quality import corruption, paraphrase
from bot.records import Passage, Question

PASSAGES = 4
PASSAGE_WORDS = 110
WORDS = (7, 60)  # shorter ones are headings and crumbs, longer ones lists
_RUN_TOGETHER = re.compile(r"(?<=[a-z][.:])(?=[A-Z])")  # emanual's answers are joined without a space
Item = TypeVar("Item")
TRUE, FOREIGN = "true", "foreign"
SOURCES = ("document", "paraphrase", "answer")
STATED = "stated"
WORDS_ALONE = tuple(Bar(coverage, coverage, 1.0) for coverage in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
SWEPT = (
    *WORDS_ALONE,
    *(Bar(0.8, least, cosine) for least in (0.4, 0.5, 0.6, 0.7) for cosine in (0.6, 0.7, 0.8, 0.9)),
)


@dataclass(frozen=True)
class Case:
    """A sentence to be judged against passages. `kind` is "true" or the kind of its corruption; `source` says where
    the true sentence came from: document, paraphrase or answer."""

    sentence: str
    passages: tuple[Passage, ...]
    kind: str
    source: str


@dataclass(frozen=True)
class Share:
    """How many of `cases` were stopped, with the Wilson interval (1927) of the share at 95 %."""

    kind: str
    cases: int
    stopped: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Swept:
    """What another bar would stop; shares 0..1. `corrupted` is over the four kinds, `word` over sentences with one word
    exchanged, `foreign` over true sentences whose passage is missing."""

    bar: Bar
    corrupted: float
    word: float
    foreign: float
    true: float


@dataclass(frozen=True)
class VerificationReport:
    """`kinds` are the corruptions by kind, `corrupted` the four of them together; `sources` the true sentences by
    source, `true` together. `missed` are corrupted sentences that passed, `refused` true ones that did not."""

    corrupted: Share
    true: Share
    kinds: tuple[Share, ...]
    sources: tuple[Share, ...]
    sweep: tuple[Swept, ...]
    missed: tuple[Case, ...] = field(repr=False)
    refused: tuple[Case, ...] = field(repr=False)


@dataclass(frozen=True)
class _Truth:
    sentence: str
    passages: tuple[Passage, ...]
    source: str


def cases(
    texts: Sequence[tuple[str, str, str]], questions: Sequence[Question], limit: int = 500, seed: int = 0
) -> list[Case]:
    """`limit` true sentences of (name, title, text) documents and their question set, equally of each source where
    there are enough; as many corrupted ones, equally of each kind; and a quarter as many of each further kind and of
    true sentences without their passage. The same seed makes the same cases."""
    chance = random.Random(seed)
    pool = _pool(texts, questions, chance)
    by_source = [[truth for truth in pool if truth.source == source] for source in SOURCES]
    found = [Case(truth.sentence, truth.passages, TRUE, truth.source) for truth in _in_turn(by_source, limit)]
    mixed = _in_turn(by_source, len(pool))
    by_kind = [_corrupted(mixed, kind, limit, chance) for kind in corruption.KINDS]
    found += _in_turn(by_kind, limit)
    for kind in corruption.FURTHER_KINDS:
        found += _corrupted(mixed, kind, limit // 4, chance)
    found += [Case(one.sentence, one.passages, STATED, STATED) for one in pool if one.source == STATED][: limit // 4]
    return found + _foreign(mixed, limit // 4)


def evaluate(
    embeddings: Embeddings | None, judged: Sequence[Case], tell: Callable[[str], None] = lambda _: None
) -> VerificationReport:
    """Judge every case at the bar in use, and at others. Without embeddings by words alone."""
    remembered = _Remembered(embeddings) if embeddings else None
    bars = (BAR, *(bar for bar in SWEPT if bar != BAR)) if remembered else (BAR, *WORDS_ALONE)
    stopped: dict[Bar, list[bool]] = {}
    for number, bar in enumerate(bars, start=1):
        tell(f"judging {len(judged)} sentences by bar {number} of {len(bars)}")
        stopped[bar] = [ground.support(one.sentence, one.passages, (), remembered, bar) is None for one in judged]
    verdicts = list(zip(judged, stopped[BAR], strict=True))
    kinds = (*corruption.KINDS, *corruption.FURTHER_KINDS, FOREIGN, STATED)
    return VerificationReport(
        corrupted=share("corrupted", [stop for one, stop in verdicts if one.kind in corruption.KINDS]),
        true=share(TRUE, [stop for one, stop in verdicts if one.kind == TRUE]),
        kinds=tuple(share(kind, [stop for one, stop in verdicts if one.kind == kind]) for kind in kinds),
        sources=tuple(
            share(source, [stop for one, stop in verdicts if (one.kind, one.source) == (TRUE, source)])
            for source in SOURCES
        ),
        sweep=tuple(_swept(bar, judged, stopped[bar]) for bar in bars),
        missed=tuple(one for one, stop in verdicts if one.kind in corruption.KINDS and not stop),
        refused=tuple(one for one, stop in verdicts if one.kind == TRUE and stop),
    )


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); it holds for small and extreme ones, too."""
    if not whole:
        return 0.0, 1.0
    share, z = part / whole, 1.96
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


class _Remembered(Embeddings):
    """Embeds a text once, however often it is judged."""

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self.vectors: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in self.vectors]
        if new:
            self.vectors.update(zip(new, self.embeddings.embed_documents(new), strict=True))
        return [self.vectors[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def share(kind: str, stops: Sequence[bool]) -> Share:
    """How many of these are true, with the interval of their share."""
    low, high = wilson(sum(stops), len(stops))
    return Share(kind, len(stops), sum(stops), round(sum(stops) / len(stops), 4) if stops else 0.0, low, high)


def _swept(bar: Bar, judged: Sequence[Case], stopped: Sequence[bool]) -> Swept:
    def stopped_of(*kinds: str) -> float:
        return share("", [stop for one, stop in zip(judged, stopped, strict=True) if one.kind in kinds]).share

    return Swept(bar, stopped_of(*corruption.KINDS), stopped_of("word"), stopped_of(FOREIGN), stopped_of(TRUE))


def _pool(texts: Sequence[tuple[str, str, str]], questions: Sequence[Question], chance: random.Random) -> list[_Truth]:
    """True sentences of every source, in an order of chance."""
    library = {name: _passages(name, title, text) for name, title, text in texts}
    names = list(library)
    pool = []
    for at, name in enumerate(names):
        around = [passage for other in names[at + 1 : at + PASSAGES] for passage in library[other]]
        for place, passage in enumerate(library[name]):
            shown = (passage, *[*library[name][:place], *library[name][place + 1 :], *around][: PASSAGES - 1])
            for sentence in filter(_is_whole, sentences.split(passage.text)):
                pool.append(_Truth(sentence, shown, "document"))
                if other_words := paraphrase.paraphrase(sentence, chance):
                    pool.append(_Truth(other_words, shown, "paraphrase"))
    for question in questions:
        shown = tuple(passage for name in question.documents for passage in library.get(name, ()))
        if question.answerable and shown:
            pool += [_Truth(sentence, shown, "answer") for sentence in _answers(question)]
            pool += [_Truth(sentence, shown, STATED) for sentence in _stated(question)]
    chance.shuffle(pool)
    return pool


def _answers(question: Question) -> list[str]:
    """The whole sentences of the first right answer."""
    if not question.answers:
        return []
    return [one for one in sentences.split(_RUN_TOGETHER.sub(" ", question.answers[0])) if _is_whole(one)]


def _stated(question: Question) -> list[str]:
    """A sentence made of question and short answer, where that is possible by rule."""
    made = paraphrase.stated(question.text, question.answers[0]) if question.answers else None
    return [made] if made and _is_whole(made) else []


def _is_whole(sentence: str) -> bool:
    return WORDS[0] <= len(sentence.split()) <= WORDS[1] and sentence[-1] in ".!" and sentence[0].isupper()


def _passages(name: str, title: str, text: str) -> list[Passage]:
    """A document cut between sentences into passages of about as many words as an indexed chunk."""
    groups: list[list[str]] = [[]]
    for sentence in sentences.split(text):
        if groups[-1] and sum(len(one.split()) for one in [*groups[-1], sentence]) > PASSAGE_WORDS:
            groups.append([])
        groups[-1].append(sentence)
    return [
        Passage(f"{name}#{n}", 0, name, title, "", None, " ".join(group), 0.0)
        for n, group in enumerate(groups)
        if group
    ]


def _corrupted(pool: Sequence[_Truth], kind: str, limit: int, chance: random.Random) -> list[Case]:
    found = []
    for truth in pool:
        text = " ".join(passage.text for passage in truth.passages)
        if made := corruption.corrupt(truth.sentence, text, kind, chance):
            found.append(Case(made.sentence, truth.passages, kind, truth.source))
        if len(found) == limit:
            break
    return found


def _foreign(pool: Sequence[_Truth], limit: int) -> list[Case]:
    """True sentences against the passages of other documents."""
    pairs = zip(pool, pool[len(pool) // 2 :], strict=False)
    apart = [
        (one, other)
        for one, other in pairs
        if not {p.chunk_id for p in one.passages} & {p.chunk_id for p in other.passages}
    ]
    return [Case(one.sentence, other.passages, FOREIGN, one.source) for one, other in apart[:limit]]


def _in_turn(groups: Sequence[Sequence[Item]], limit: int) -> list[Item]:
    """One of each group in turn, while they last."""
    found = [item for rank in itertools.zip_longest(*groups) for item in rank if item is not None]
    return found[:limit]
