"""How sure may we be? Decided twice: before a word is generated, from what was found, and again when the answer is
known. Below the threshold a consultation abstains; the threshold lies on a curve of coverage and risk.
"""

from collections.abc import Sequence

from bot import courtesy, lexical, sentences
from bot.evidence import Evidence, asked, calibrated
from bot.evidence.calibrated import Point, log_odds
from bot.records import Citation, Sentence

FAR_BEHIND = 1.0  # a sentence that is so much worse than the best one speaks of something else


def after(found: Evidence, shown: Sequence[Sentence], dropped: Sequence[str], quoted: bool) -> float:
    """The probability, in 0..1, that what is `shown` answers the question, judged by the evidence that was found and by
    the answer itself. `dropped` are the model's sentences that were refused; `quoted` says that the best passage speaks
    for itself. Nothing shown is no answer: 0."""
    if not shown:
        return 0.0
    return calibrated.shipped().after.probability(signs(found, shown, dropped, quoted))


def signs(found: Evidence, shown: Sequence[Sentence], dropped: Sequence[str], quoted: bool) -> dict[str, float]:
    """What `after` judges by; each is higher where a right answer is likelier. `found` is in log odds,
    the rest lie in 0..1."""
    cited = [citation for sentence in shown for citation in sentence.citations]
    behind = min((found.behind(citation.chunk_id, citation.quote) for citation in cited), default=FAR_BEHIND)
    said = " ".join([*(sentences.without_markers(sentence.text) for sentence in shown), *(one.quote for one in cited)])
    question = found.question
    return {
        "found": log_odds(found.score),
        "to_the_point": 1 - min(behind, FAR_BEHIND) / FAR_BEHIND,
        "support": 1.0 if quoted else _mean([_supported(sentence.text, sentence.citations) for sentence in shown]),
        "kept": len(shown) / (len(shown) + len(dropped)),
        "own_words": float(not quoted),
        "kind": float(question is None or question.kind_stands_in(said)),
        "names": 1.0 if question is None else _named(question.names, said),
    }


def curve() -> list[Point]:
    """The places of the slider from cautious (few answers) to eager, as they were on the development sets."""
    return sorted(calibrated.shipped().curve, key=lambda point: -point.threshold)


def default_threshold() -> float:
    """The confidence below which a consultation abstains unless its operator wants it otherwise."""
    return calibrated.shipped().threshold


def _supported(text: str, citations: Sequence[Citation]) -> float:
    """The share of a sentence's content words that stand in what it cites; politeness is no claim."""
    claimed = set(lexical.stems(sentences.without_markers(text))) - courtesy.POLITE
    there = {stem for one in citations for stem in lexical.stems(f"{one.title} {one.heading} {one.quote}")}
    return len(claimed & there) / len(claimed) if claimed else 0.0


def _named(names: frozenset[str], said: str) -> float:
    """The share of the question's names that the answer or its quotation names, too."""
    there = asked.names_in(said) | set(lexical.stems(said))
    return len(names & there) / len(names) if names else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
