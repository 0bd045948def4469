"""What the model knows by itself, and whether an adapter has moved it: general questions without any passage.

Style may change how such a question is answered. What is asked for here is that the right answer is said as before,
and that the next tokens of the base's own answer stay about as likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import kl_div
from torch.nn.utils.rnn import pad_sequence

from bot.quality import overlap
from bot.serving.prompt import Prompter
from workers.style.general import PROBED
from workers.style.keeping import told

MOST_TOKENS = 32
TOGETHER = 8  # chats that are read at a time

Said = tuple[list[int], list[int]]  # a prompt's tokens, and the answer's


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
        (prompter.tokens(chat), tokenizer.encode(said, add_special_tokens=False))
        for chat, said in zip(chats, before, strict=True)
        if said
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
def _apart(student: Any, read: Sequence[Said]) -> list[float]:
    """Mean KL(base || student) of the next tokens along what the base said, of each chat."""
    apart = []
    for start in range(0, len(read), TOGETHER):
        some = read[start : start + TOGETHER]
        with student.disable_adapter():
            likely = _next(student, some)
        apart += [
            float(kl_div(one, other, log_target=True, reduction="batchmean"))
            for one, other in zip(_next(student, some), likely, strict=True)
        ]
    return apart


def _next(model: Any, read: Sequence[Said]) -> list[torch.Tensor]:
    """Log-likelihoods of every next token along each answer: (tokens, vocabulary)."""
    rows = [torch.tensor([*prompt, *said], device=model.device) for prompt, said in read]
    tokens = pad_sequence(rows, batch_first=True)  # behind, where nothing looks that is asked for
    behind = [tokens.shape[1] - len(prompt) for prompt, _ in read]
    logits = model(input_ids=tokens, logits_to_keep=max(behind) + 1).logits
    return [
        torch.log_softmax(row[-after - 1 :][: len(said)].float(), dim=-1)
        for row, after, (_, said) in zip(logits, behind, read, strict=True)
    ]
