"""Reading: which sentences of the passages found answer the question, and with which of their words.

The search finds what speaks of the same things; to answer is more (Chen et al. 2017, "Reading Wikipedia to Answer
Open-Domain Questions"). A small extractive reader scores every run of words; a sentence is as good as its best one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bot import sentences
from bot.records import Passage
from bot.serving.reader import Reader, Scored

LONGEST_ANSWER = 30  # tokens
MOST_WORDS = 110  # that are read at once, and the sentence that exceeds them
SURE = 8.0  # log odds beyond which nothing is surer
TEMPERATURE = 4.0


class Reading(NamedTuple):
    """Of a sentence: that its passage answers the question in it, in log odds (-8..8), and the words that do."""

    odds: float
    words: str

    @property
    def probability(self) -> float:
        """The same in 0..1, tempered (Guo et al. 2017), since a reader is surer than it is right."""
        return float(1 / (1 + np.exp(-self.odds / TEMPERATURE)))


def read(reader: Reader, question: str, passages: Sequence[Passage]) -> list[list[Reading]]:
    """For each passage a reading of each of its sentences, in order (`sentences.split`)."""
    return [
        [one for text in _windows(passage.text) for one in _read(reader, question, passage.place, text)]
        for passage in passages
    ]


def _windows(text: str) -> Iterator[list[str]]:
    """Sentences that are read together."""
    window: list[str] = []
    for sentence in sentences.split(text):
        window.append(sentence)
        if sum(len(one.split()) for one in window) >= MOST_WORDS:
            yield window
            window = []
    if window:
        yield window


def _read(reader: Reader, question: str, place: str, window: Sequence[str]) -> Iterator[Reading]:
    text = " ".join(window)
    scored = reader.scores(question, place, text)
    start = 0
    for sentence in window:
        yield _best(scored, text, start, start + len(sentence))
        start += len(sentence) + 1


def _best(scored: Scored, text: str, start: int, end: int) -> Reading:
    """The likeliest answer between two places of the text."""
    within = (scored.places[:, 0] >= start) & (scored.places[:, 1] <= end)
    starts, ends, places = scored.starts[within], scored.ends[within], scored.places[within]
    if not len(starts):
        return Reading(-SURE, "")
    runs = starts[:, None] + ends[None, :]
    length = np.arange(len(starts))[None, :] - np.arange(len(starts))[:, None]
    runs = np.where((length >= 0) & (length < LONGEST_ANSWER), runs, -np.inf)
    first, last = np.unravel_index(int(runs.argmax()), runs.shape)
    odds = float(np.clip(runs[first, last], -SURE, SURE))
    return Reading(odds, text[places[first, 0] : places[last, 1]])
