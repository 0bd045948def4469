"""What came of one question: the plain facts of one answer, judged against what would have been right.

An outcome is small and stands by itself, so that a kept run can be measured again and compared with another.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bot import courtesy, documents, ground, sentences
from bot.desk import Desk
from bot.quality import overlap
from bot.quality.spelling import Misspelt
from bot.records import Answer, Citation, Question

LONGEST_TEXT = 500
REPEATED_WORDS = 5
DOUBLED = ("that", "had")  # these may stand twice in good English


@dataclass(frozen=True)
class Outcome:
    """One question and what was said to it. `wanted` are the documents that answer it, `gold` is the right answer that
    is nearest to what was said, `group` is shared by questions with the same right answers from the same documents.

    `found`: a wanted document is among the passages; `within_reach`: one of the passages contains a right answer;
    `holds`: what opens from a citation contains one; `f1` and `span_recall` (of the best sentence) lie in 0..1 and are
    0 where nothing was answered; `sentences` are those shown, `supported` so many of them as their citations bear out;
    `dropped` were said and held back; `evidence` in 0..1 is what the decision to answer was made on, `similarity` the
    cosine of the question and the nearest sentence found;
    `key_f1` is the token F1 of the emphasised words, None where nothing is emphasised.
    """

    question_id: str
    question: str
    answerable: bool
    wanted: tuple[str, ...]
    gold: str
    gold_words: int
    group: str
    text: str
    abstained: bool
    quoted: bool
    cited: tuple[str, ...]
    found: bool
    holds: bool
    within_reach: bool
    f1: float
    span_recall: float
    words: int
    sentences: int
    supported: int
    dropped: tuple[str, ...]
    misspelt: tuple[str, ...]
    repeated: str
    evidence: float
    similarity: float
    retrieve_ms: float
    first_token_ms: float
    first_sentence_ms: float
    total_ms: float
    key_f1: float | None = None  # runs that were kept before answers had emphasis have none

    @property
    def answered(self) -> bool:
        """Whether anything was said that passes for an answer."""
        return not self.abstained

    @property
    def own_sentences(self) -> int:
        """How many of the shown sentences the model said itself."""
        return 0 if self.quoted else self.sentences

    @property
    def cites_a_wanted_document(self) -> bool:
        """Whether one of the citations is of a document that answers the question."""
        return bool(set(self.cited) & set(self.wanted))

    @property
    def span_f1(self) -> float:
        """Token F1 of the words that answer: the emphasised ones, or all where none are."""
        return self.f1 if self.key_f1 is None else self.key_f1


def judge(desk: Desk, question: Question, answer: Answer, misspelt: Misspelt) -> Outcome:
    """The facts of one answer. `desk` holds the documents that it was made from."""
    own_words = "" if answer.abstained or answer.quoted else sentences.without_markers(answer.text)
    support = [] if answer.abstained else _supports(desk, answer)
    told = "" if answer.abstained else answer.text
    beside = " ".join([question.text, *(turn.text for turn in question.history), *_read(answer)])
    return Outcome(
        question_id=question.question_id,
        question=question.text[:LONGEST_TEXT],
        answerable=question.answerable,
        wanted=question.documents,
        gold=_nearest(answer.text, question.answers)[:LONGEST_TEXT],
        gold_words=max((len(right.split()) for right in question.answers), default=0),
        group=_group(question),
        text=answer.text[:LONGEST_TEXT],
        abstained=answer.abstained,
        quoted=answer.quoted,
        cited=tuple(dict.fromkeys(citation.document for citation in answer.citations)),
        found=any(passage.document in question.documents for passage in answer.passages),
        holds=any(overlap.holds(text, question.answers) for text in _cited_texts(answer)),
        within_reach=any(overlap.holds(text, question.answers) for text in _read(answer)),
        f1=round(overlap.token_f1(told, question.answers), 4),
        span_recall=round(overlap.sentence_recall(told, question.answers), 4),
        words=len(sentences.without_markers(told).split()),
        sentences=len(support),
        supported=sum(support),
        dropped=tuple(sentence[:LONGEST_TEXT] for sentence in answer.dropped),
        misspelt=misspelt(own_words, beside),
        repeated=repetition(own_words),
        evidence=float(answer.parameters.get("evidence", 0.0)),
        similarity=float(answer.parameters.get("cosine", 0.0)),
        retrieve_ms=answer.timings_ms.retrieve,
        first_token_ms=answer.timings_ms.first_token,
        first_sentence_ms=answer.timings_ms.first_sentence,
        total_ms=answer.timings_ms.total,
        key_f1=round(overlap.token_f1(" ".join(answer.keys), question.answers), 4) if answer.keys else None,
    )


def row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON keeps it."""
    return asdict(outcome)


def from_row(kept: dict[str, Any]) -> Outcome:
    """An outcome as it was kept."""
    known = {one.name for one in fields(Outcome)}
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept.items() if name in known
    }
    return Outcome(**plain)


def repetition(text: str) -> str:
    """The first words that are said twice: one word twice in a row, or `REPEATED_WORDS` in a row; or nothing."""
    said = overlap.tokens(text)
    for word, following in itertools.pairwise(said):
        if word == following and word not in DOUBLED:
            return f"{word} {word}"
    seen: set[tuple[str, ...]] = set()
    for start in range(len(said) - REPEATED_WORDS + 1):
        piece = tuple(said[start : start + REPEATED_WORDS])
        if piece in seen:
            return " ".join(piece)
        seen.add(piece)
    return ""


def _group(question: Question) -> str:
    if not question.answers:
        return ""
    same = "\n".join([*sorted(question.answers), *sorted(question.documents)])
    return hashlib.sha256(same.encode()).hexdigest()[:12]


def _nearest(said: str, answers: Sequence[str]) -> str:
    return max(answers, key=lambda answer: overlap.token_f1(said, [answer]), default="")


def _read(answer: Answer) -> list[str]:
    return [f"{passage.title} {passage.heading} {passage.text}" for passage in answer.passages]


def _supports(desk: Desk, answer: Answer) -> list[bool]:
    """For each shown sentence: does it cite, does the quote stand in the stored document, does the quote support it?
    Courtesy, and one that only leaves a part of the question open, claims nothing that would need support."""
    if answer.quoted:
        return [bool(answer.citations) and all(_stands(desk, citation) for citation in answer.citations)]
    return [_is_supported(desk, answer, sentence) for sentence in sentences.split(answer.text)]


def _is_supported(desk: Desk, answer: Answer, sentence: str) -> bool:
    if courtesy.is_all(sentence) or ground.leaves_open(sentence, answer.question, desk.settings.company):
        return True
    named = set(sentences.markers(sentence))
    cited = [citation for citation in answer.citations if citation.n in named]
    if not cited or not all(_stands(desk, citation) for citation in cited):
        return False
    chunks = {citation.chunk_id for citation in cited}
    read = [one for one in answer.passages if one.chunk_id in chunks]
    return ground.support(sentence, read, embeddings=desk.embeddings) is not None


def _stands(desk: Desk, citation: Citation) -> bool:
    return citation.quote in _stored(desk, citation)


def _cited_texts(answer: Answer) -> list[str]:
    """What opens from its citations."""
    return [f"{one.title} {one.heading} {answer.opened(one)}" for one in answer.citations]


def _stored(desk: Desk, citation: Citation) -> str:
    chunks = documents.chunks_of(desk.database, citation.version_id)
    return next((chunk.text for chunk in chunks if chunk.chunk_id == citation.chunk_id), "")
