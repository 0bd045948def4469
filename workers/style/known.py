"""What the model knows already, by the definitions of Gekhman et al. 2024 (arXiv:2405.05904), given the passages.

Fine-tuning on what a model does not know makes it hallucinate. So every row is asked, before it is learned from, with
several random few-shot prompts: one greedy answer each, and samples at T = 0.5. HighlyKnown: every greedy answer is
right; MaybeKnown: some are; WeaklyKnown: none is, but a sample; Unknown: nothing is right. Here the model reads the
passages, so "known" is what it finds in them; rows of which it does not are not learned from.

Samples are only drawn where no greedy answer is right, and only until one is, since they decide nothing else.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot import ground, prompts, sentences
from bot.desk import Desk
from bot.examples import Example
from bot.records import Feedback

Known = Literal["HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown"]
KINDS: tuple[Known, ...] = ("HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown")
SHOTS = 2  # the paper's four do not fit a small model's window beside four passages
TEMPERATURE = 0.5

Messages = tuple[dict[str, str], ...]
Tell = Callable[[Sequence[Messages], float], list[str]]


@dataclass(frozen=True)
class Sorted:
    """The rows that may be learned from, those that are Unknown, and how many there are of each kind."""

    kept: tuple[Feedback, ...]
    unknown: tuple[Feedback, ...]
    mix: dict[str, int]


def sort(desk: Desk, rows: Sequence[Feedback], tell: Tell, *, prompts_each: int, samples: int, seed: int) -> Sorted:
    """Classify every row. `tell` answers chats at a temperature, 0 being greedy; with no prompt each, all are kept."""
    if not prompts_each:
        return Sorted(tuple(rows), (), {})
    chance = random.Random(seed)
    asked = [[_prompt(desk, row, rows, chance) for _ in range(prompts_each)] for row in rows]
    greedy = _right(rows, asked, tell, 0.0)
    kinds = [_kind(right) for right in greedy]
    for _ in range(samples):
        unsure = [number for number, kind in enumerate(kinds) if kind == "Unknown"]
        drawn = _right([rows[number] for number in unsure], [asked[number] for number in unsure], tell, TEMPERATURE)
        for number, right in zip(unsure, drawn, strict=True):
            kinds[number] = "WeaklyKnown" if any(right) else "Unknown"
    counted = Counter(kinds)
    return Sorted(
        kept=tuple(row for row, kind in zip(rows, kinds, strict=True) if kind != "Unknown"),
        unknown=tuple(row for row, kind in zip(rows, kinds, strict=True) if kind == "Unknown"),
        mix={kind: counted[kind] for kind in KINDS},
    )


def says(said: str, right: str) -> bool:
    """Whether an answer says what one sentence of the right answer says. What claims nothing cannot be missed."""
    claims = [sentence for sentence in sentences.split(right) if not ground.says("", sentence)]
    return not claims or any(ground.says(said, sentence) for sentence in claims)


def _kind(greedy: Sequence[bool]) -> Known:
    """As far as greedy answers tell."""
    if all(greedy):
        return "HighlyKnown"
    return "MaybeKnown" if any(greedy) else "Unknown"


def _right(
    rows: Sequence[Feedback], asked: Sequence[Sequence[Messages]], tell: Tell, temperature: float
) -> list[list[bool]]:
    """For each row, which of the answers to its prompts are right; all are asked together, which is faster."""
    flat = [messages for several in asked for messages in several]
    told = iter(tell(flat, temperature) if flat else [])
    return [[says(next(told), row.rewrite) for _ in several] for row, several in zip(rows, asked, strict=True)]


def _prompt(desk: Desk, row: Feedback, rows: Sequence[Feedback], chance: random.Random) -> Messages:
    """The row's question among its passages, after random other rows with the passage that each is made from."""
    others = [one for one in rows if one.feedback_id != row.feedback_id]
    shown = [_example(one) for one in chance.sample(others, min(SHOTS, len(others)))]
    composed = prompts.compose(
        prompts.load("answer"),
        company=desk.settings.company,
        excerpts=row.evidence,
        question=row.question,
        examples=shown,
    )
    return prompts.plain(composed)


def _example(row: Feedback) -> Example:
    """A row with one passage, and what was answered before it was rewritten, so that no style is shown."""
    found = ground.support((sentences.split(row.rewrite) or [""])[0], row.evidence)
    passages = (found.passage,) if found else row.evidence[:1]
    return Example(row.feedback_id, row.question, row.answer, passages)
