"""Which characters of an answer carry facts: figures, names, and what is copied from the passages.

There the base may be left its say, so that gradient comes from how something is said, and not from what. Citation
markers are none: where an answer cites is its form.
"""

import re
from collections.abc import Iterator, Sequence

from bot.claims import facts, names

COPIED_WORDS = 3  # so many words in a row that stand in a passage, too, are copied from it
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MARKER = re.compile(r"\[\d+\]")

Span = tuple[int, int]


def spans(answer: str, read: str) -> list[Span]:
    """The parts of an answer, from and to, that carry facts; `read` is what it was made from. In order, apart."""
    without_markers = _MARKER.sub(lambda marker: " " * len(marker[0]), answer)
    found = [(fact.start, fact.end) for fact in facts.figures(without_markers)]
    found += [(name.start, name.end) for name in names.within(without_markers, names.known_in((read,)))]
    found += _copied(without_markers, read)
    return list(_joined(sorted(found)))


def overlap(span: Span, others: Sequence[Span]) -> bool:
    """Whether a span has a character in common with one of the others."""
    return any(span[0] < end and start < span[1] for start, end in others)


def _copied(answer: str, read: str) -> Iterator[Span]:
    """Runs of words that stand in what was read in the same order."""
    there = [word.lower() for word in _WORD.findall(read)]
    known = {tuple(there[at : at + COPIED_WORDS]) for at in range(len(there) - COPIED_WORDS + 1)}
    said = list(_WORD.finditer(answer))
    for at in range(len(said) - COPIED_WORDS + 1):
        run = said[at : at + COPIED_WORDS]
        if tuple(word[0].lower() for word in run) in known:
            yield run[0].start(), run[-1].end()


def _joined(found: Sequence[Span]) -> Iterator[Span]:
    held: Span | None = None
    for start, end in found:
        if held and start <= held[1]:
            held = (held[0], max(held[1], end))
            continue
        if held:
            yield held
        held = (start, end)
    if held:
        yield held
