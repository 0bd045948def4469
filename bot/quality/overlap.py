"""How much of a right answer stands in a text: token F1, recall, and whether a passage holds it."""

import re
import string
from collections import Counter
from collections.abc import Sequence

from bot import sentences
from bot.lexical import stems

# A right answer of up to so many words must stand in the passage as it is; a longer one is put together from it.
SHORT_WORDS = 8
# Measured on clapnq and emanual with pieces of 95 words: at least 98 % of the pieces that a long answer came from reach
# this overlap, 1 % of pieces drawn at random, and a fifth of the other pieces of the same document.
LEAST_OVERLAP = 0.6


def token_f1(said: str, answers: Sequence[str]) -> float:
    """Token F1 against the nearest of the right answers, normalised as the SQuAD 2.0 scorer does."""
    return max((_f1(tokens(said), tokens(answer)) for answer in answers), default=0.0)


def recall(said: str, answers: Sequence[str]) -> float:
    """The share of a right answer's tokens that are said; of several right answers the one said most fully."""
    spoken = Counter(tokens(said))
    shares = [
        sum((spoken & Counter(wanted)).values()) / len(wanted) for answer in answers if (wanted := tokens(answer))
    ]
    return max(shares, default=0.0)


def sentence_recall(said: str, answers: Sequence[str]) -> float:
    """`recall` of the one sentence that says most of a right answer."""
    return max((recall(sentence, answers) for sentence in sentences.split(said)), default=0.0)


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether a passage contains one of the right answers: a short one word for word (normalised), of a long one the
    stems of its content words, as a share of the shorter of the two, at least `LEAST_OVERLAP`."""
    there = f" {' '.join(tokens(text))} "
    return any(_holds(text, there, answer) for answer in answers)


def tokens(text: str) -> list[str]:
    """Words in lower case without punctuation, articles and citation markers (the SQuAD 2.0 scorer's)."""
    bare = "".join(sign for sign in sentences.without_markers(text).lower() if sign not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _holds(text: str, there: str, answer: str) -> bool:
    wanted = tokens(answer)
    if len(wanted) <= SHORT_WORDS:
        return bool(wanted) and f" {' '.join(wanted)} " in there
    said, meant = set(stems(text)), set(stems(answer))
    return len(said & meant) >= LEAST_OVERLAP * max(1, min(len(said), len(meant)))


def _f1(said: list[str], wanted: list[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0
