"""What the model knows by itself, and whether an adapter has moved it: general questions without any passage.

Style may change how such a question is answered. What is asked for here is that the right answer is said as before,
and that the next tokens of the base's own answer stay about as likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import kl_div

from bot.quality import overlap
from bot.serving.prompt import Prompter
from workers.style.batches import Example, batches, likelihoods
from workers.style.general import PROBED
from workers.style.keeping import told

MOST_TOKENS = 32
TOGETHER = 8  # chats that are read at a time


@dataclass(frozen=True)
class ClosedBook:
    """`kl`: mean KL(base || candidate) of the next token over the base's own greedy answers, in nats; `known`: how many
    of the questions the base answers rightly; `lost`: how many of those the candidate does not; `found`: how many the
    candidate alone answers rightly."""

    questions: int
    known: int
    lost: int
    found: int
    kl: float


def closed_book(student: Any, tokenizer: Any, questions: Sequence[tuple[str, str]] = PROBED) -> ClosedBook:
    """Ask the base (the student with its adapter switched off) and the student."""
    was_training = student.training
    student.eval()
    prompter = Prompter(tokenizer)
    chats = [({"role": "user", "content": question},) for question, _ in questions]
    with student.disable_adapter():
        before = told(student, tokenizer, chats, MOST_TOKENS, exact=True)
    after = told(student, tokenizer, chats, MOST_TOKENS, exact=True)
    right = [
        (overlap.holds(one, [answer]), overlap.holds(other, [answer]))
        for one, other, (_, answer) in zip(before, after, questions, strict=True)
    ]
    read = [
        Example((*prompter.tokens(chat), *tokens), (1.0,) * len(tokens))
        for chat, said in zip(chats, before, strict=True)
        if (tokens := tokenizer.encode(said, add_special_tokens=False))
    ]
    apart = _apart(student, read)
    student.train(was_training)
    return ClosedBook(
        questions=len(questions),
        known=sum(one for one, _ in right),
        lost=sum(one and not other for one, other in right),
        found=sum(other and not one for one, other in right),
        kl=round(sum(apart) / max(1, len(apart)), 4),
    )


@torch.inference_mode()
def _apart(student: Any, read: Sequence[Example]) -> list[float]:
    """Mean KL(base || student) of the next tokens along what the base said, of each chat."""
    apart = []
    for batch in batches(read, TOGETHER, student.device):
        with student.disable_adapter():
            base = likelihoods(student, batch)
        moved = kl_div(likelihoods(student, batch), base, log_target=True, reduction="none").sum(dim=-1)
        apart += ((moved * batch.weights).sum(dim=-1) / batch.weights.sum(dim=-1)).tolist()
    return apart
