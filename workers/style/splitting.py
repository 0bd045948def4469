"""Rows to learn from, rows to stop by, rows to be examined on: every document has its share of each, and what belongs
together, a conversation or a question asked twice, is never torn apart."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from bot import likeness
from bot.records import Feedback
from workers.style.curate import NEARLY

HELD_OUT_SHARE = 0.12  # of the rows, for each of dev and test
LEAST_HELD_OUT = 4


class Split(NamedTuple):
    """Training is stopped by `dev`; the gate's loss is taken on `test`, which nothing was chosen by."""

    train: tuple[Feedback, ...]
    dev: tuple[Feedback, ...]
    test: tuple[Feedback, ...]


def split(rows: Sequence[Feedback], conversations: Mapping[str, str] = MappingProxyType({})) -> Split:
    """About 12 % of the rows each for dev and test, at least 4, chosen by a hash of the questions: the same ones in
    every run. `conversations` has the one that a row comes from, by the answer's id."""
    wanted = max(min(LEAST_HELD_OUT, len(rows) // 4), round(HELD_OUT_SHARE * len(rows)))
    parts: dict[str, list[Feedback]] = {"test": [], "dev": [], "train": []}
    for group in _in_turn(_groups(rows, conversations)):
        part = next((name for name in ("test", "dev") if len(parts[name]) + len(group) <= wanted), "train")
        parts[part] += group
    order = {row.feedback_id: place for place, row in enumerate(rows)}
    train, dev, test = (
        tuple(sorted(parts[name], key=lambda row: order[row.feedback_id])) for name in ("train", "dev", "test")
    )
    return Split(train, dev, test)


def _in_turn(groups: Sequence[Sequence[Feedback]]) -> list[Sequence[Feedback]]:
    """The first group of every document, then the second of every document, and so on, each by its hash."""
    seen: dict[str, int] = defaultdict(int)
    turns = []
    for group in sorted(groups, key=_rank):
        document = _document(group[0])
        turns.append((seen[document], _rank(group), group))
        seen[document] += 1
    return [group for _, _, group in sorted(turns, key=lambda turn: turn[:2])]


def _groups(rows: Sequence[Feedback], conversations: Mapping[str, str]) -> list[list[Feedback]]:
    """Rows that must stay together: of one conversation, or with the same or nearly the same question or rewrite."""
    home = {row.feedback_id: row.feedback_id for row in rows}

    def root(key: int) -> int:
        while home[key] != key:
            key = home[key]
        return key

    for one, other in _bound(rows, conversations):
        home[root(one.feedback_id)] = root(other.feedback_id)
    groups: dict[int, list[Feedback]] = defaultdict(list)
    for row in rows:
        groups[root(row.feedback_id)].append(row)
    return list(groups.values())


def _bound(rows: Sequence[Feedback], conversations: Mapping[str, str]) -> list[tuple[Feedback, Feedback]]:
    same: dict[tuple[str, str], list[Feedback]] = defaultdict(list)
    for row in rows:
        same["question", _plain(row.question)].append(row)
        if conversation := conversations.get(row.answer_id):
            same["conversation", conversation].append(row)
    pairs = [pair for several in same.values() for pair in pairwise(several)]
    for texts in ([row.question for row in rows], [row.rewrite for row in rows]):
        signed = list(zip(rows, likeness.signatures(texts), strict=True))
        for place, (row, signature) in enumerate(signed):
            pairs += [(row, other) for other, its in signed[:place] if likeness.alike(signature, its, NEARLY)]
    return pairs


def _document(row: Feedback) -> str:
    return row.evidence[0].document if row.evidence else ""


def _rank(group: Sequence[Feedback]) -> str:
    """A number that is always the same for the same questions, whatever the order of the rows."""
    return min(hashlib.sha256(_plain(row.question).encode()).hexdigest() for row in group)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
