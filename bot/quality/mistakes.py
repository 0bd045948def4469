"""What goes wrong, by kind: how often, and which questions show it. One answer can show several kinds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.quality import intervals, measures
from bot.quality.intervals import Interval
from bot.quality.measures import Measure
from bot.quality.outcomes import Outcome

EXAMPLES = 5
# The house style's most; a question whose right answer is long may be answered with twice as many words as that.
LONGEST_ANSWER_WORDS = 40
LEAST_SPAN = 0.5


@dataclass(frozen=True)
class Kind:
    """A kind of mistake: its name, what it means, and how an answer shows it."""

    title: str
    meaning: str
    shown_by: Callable[[Outcome], bool]


@dataclass(frozen=True)
class Mistake:
    """How often a kind of mistake was made, as a share of all questions asked, with a few of the questions."""

    kind: str
    count: int
    share: Interval
    examples: tuple[Outcome, ...]


KINDS: dict[str, Kind] = {
    "needless_abstention": Kind(
        "Needless abstention",
        "The documents say it, and no answer was given",
        lambda one: one.answerable and one.abstained,
    ),
    "missed_abstention": Kind(
        "Missed abstention",
        "The documents do not say it, and an answer was given",
        lambda one: not one.answerable and one.answered,
    ),
    "not_found": Kind(
        "Document not found",
        "The search did not bring up a document that answers",
        lambda one: one.answerable and not one.found,
    ),
    "wrong_document": Kind(
        "Wrong document",
        "Answered, but no citation is of a document that answers",
        lambda one: one.answerable and one.answered and not one.cites_a_wanted_document,
    ),
    "wrong_passage": Kind(
        "Wrong passage",
        "The right document is cited, at a place that does not hold the answer",
        lambda one: one.answerable and one.answered and one.cites_a_wanted_document and not one.holds,
    ),
    "incomplete": Kind(
        "Incomplete",
        "The right passage is cited, and less than half of the right answer is said",
        lambda one: one.answerable and one.answered and one.holds and one.span_recall < LEAST_SPAN,
    ),
    "unsupported": Kind(
        "Nothing supported",
        "Every sentence of the model's was held back",
        lambda one: bool(one.dropped) and (one.quoted or one.abstained),
    ),
    "quoted": Kind(
        "Quoted", "The document's own words stand in for the model's", lambda one: one.answered and one.quoted
    ),
    "too_long": Kind(
        "Too long",
        f"More than {LONGEST_ANSWER_WORDS} words, and more than twice the right answer's",
        lambda one: one.answered and one.words > max(LONGEST_ANSWER_WORDS, 2 * one.gold_words),
    ),
    "repetition": Kind("Repetition", "The same words twice", lambda one: bool(one.repeated)),
    "misspelling": Kind(
        "Misspelling", "A word that is neither in the dictionary nor in the documents", lambda one: bool(one.misspelt)
    ),
}


def _measure(kind: Kind) -> Measure:
    return Measure(kind.title, kind.meaning, lambda one: (float(kind.shown_by(one)), 1.0), "lower")


# Each kind as a share of all questions, so that runs are compared by it like by any other measure.
SHARES: dict[str, Measure] = {name: _measure(kind) for name, kind in KINDS.items()}


def made_in(outcome: Outcome) -> tuple[str, ...]:
    """The kinds of mistake that one answer shows."""
    return tuple(name for name, kind in KINDS.items() if kind.shown_by(outcome))


def count(outcomes: Sequence[Outcome], seed: int = intervals.SEED) -> list[Mistake]:
    """Every kind of mistake, the most frequent first; also those that were not made."""
    shares = measures.figures(outcomes, SHARES, seed)
    found = {name: [one for one in outcomes if kind.shown_by(one)] for name, kind in KINDS.items()}
    mistakes = [Mistake(name, len(of), shares[name], tuple(of[:EXAMPLES])) for name, of in found.items()]
    return sorted(mistakes, key=lambda mistake: -mistake.count)
