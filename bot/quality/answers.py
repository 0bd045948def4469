"""How good answers are: token F1 (SQuAD), abstention, citations, and whether what is shown stands in the documents."""

import re
import statistics
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot import consult, documents, ground, sentences
from bot.desk import Desk
from bot.records import Answer, Question


@dataclass(frozen=True)
class AnswerReport:
    """Shares are 0..1. `f1` and `answered_and_cited` are over the answerable questions, the abstention's precision,
    recall (the share of unanswerable questions that were abstained on) and F1 over all;
    `supported` is over the shown sentences; `own_words` is the share of given answers that are not quotations."""

    questions: int
    f1: float
    answered_and_cited: float
    abstention_precision: float
    abstention_recall: float
    abstention_f1: float
    citation_precision: float
    supported: float
    own_words: float
    first_token_ms: float
    total_ms: float
    answers: tuple[Answer, ...] = field(repr=False)


def evaluate(
    desk: Desk, questions: Sequence[Question], adapter: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> AnswerReport:
    """Ask every question through the real chain and measure. `adapter` names who speaks: "" is the base model, None
    the active version."""
    given = []
    for number, question in enumerate(questions, start=1):
        tell(f"asking {number} of {len(questions)}")
        given.append(consult.ask(desk, question.text, question.history, adapter))
    return report(desk, questions, given)


def report(desk: Desk, questions: Sequence[Question], given: Sequence[Answer]) -> AnswerReport:
    """Measure answers that were given to questions."""
    pairs = list(zip(questions, given, strict=True))
    answerable = [(question, answer) for question, answer in pairs if question.answerable]
    spoken = [(question, answer) for question, answer in answerable if not answer.abstained]
    abstained = [question for question, answer in pairs if answer.abstained]
    rightly = sum(not question.answerable for question in abstained)
    precision = _share(rightly, len(abstained))
    recall = _share(rightly, len(pairs) - len(answerable))
    shown = [support for _, answer in pairs if not answer.abstained for support in _supports(desk, answer)]
    told = [answer for answer in given if not answer.abstained]
    return AnswerReport(
        questions=len(pairs),
        f1=_mean([token_f1(answer.text, question.answers) for question, answer in answerable]),
        answered_and_cited=_share(sum(_cites(answer, question) for question, answer in spoken), len(answerable)),
        abstention_precision=precision,
        abstention_recall=recall,
        abstention_f1=round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0,
        citation_precision=_share(sum(_cites(answer, question) for question, answer in spoken), len(spoken)),
        supported=_share(sum(shown), len(shown)),
        own_words=_share(sum(not answer.quoted for answer in told), len(told)),
        first_token_ms=_median([answer.timings_ms.first_token for answer in told]),
        total_ms=_median([answer.timings_ms.total for answer in told]),
        answers=tuple(given),
    )


def token_f1(said: str, answers: Sequence[str]) -> float:
    """Token F1 against the nearest of the right answers, normalised as the SQuAD 2.0 scorer does."""
    return max((_f1(_tokens(sentences.without_markers(said)), _tokens(answer)) for answer in answers), default=0.0)


def _f1(said: list[str], wanted: list[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def _tokens(text: str) -> list[str]:
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _cites(answer: Answer, question: Question) -> bool:
    return any(citation.document in question.documents for citation in answer.citations)


def _supports(desk: Desk, answer: Answer) -> list[bool]:
    """For each shown sentence: does it cite, does the quote stand in the stored document, does the quote support it?"""
    if answer.quoted:
        return [bool(answer.citations) and all(_stands(desk, answer, n) for n in range(len(answer.citations)))]
    return [_is_supported(desk, answer, sentence) for sentence in sentences.split(answer.text)]


def _is_supported(desk: Desk, answer: Answer, sentence: str) -> bool:
    cited = [n - 1 for n in sentences.markers(sentence) if 0 < n <= len(answer.citations)]
    if not cited or not all(_stands(desk, answer, n) for n in cited):
        return False
    by_id = {passage.chunk_id: passage for passage in answer.passages}
    return ground.support(sentence, [by_id[answer.citations[n].chunk_id] for n in cited]) is not None


def _stands(desk: Desk, answer: Answer, n: int) -> bool:
    citation = answer.citations[n]
    stored = {chunk.chunk_id: chunk.text for chunk in documents.chunks_of(desk.database, citation.version_id)}
    return citation.quote in stored.get(citation.chunk_id, "")


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1) if values else 0.0
