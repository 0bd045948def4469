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
from workers.style.general import PROBED
from workers.style.keeping import told

MOST_TOKENS = 32


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
        before = told(student, tokenizer, chats, MOST_TOKENS)
    after = told(student, tokenizer, chats, MOST_TOKENS)
    right = [
        (overlap.holds(one, [answer]), overlap.holds(other, [answer]))
        for one, other, (_, answer) in zip(before, after, questions, strict=True)
    ]
    apart = [
        _apart(student, prompter.tokens(chat), tokenizer.encode(said, add_special_tokens=False))
        for chat, said in zip(chats, before, strict=True)
        if said
    ]
    student.train(was_training)
    return ClosedBook(
        questions=len(questions),
        known=sum(one for one, _ in right),
        lost=sum(one and not other for one, other in right),
        found=sum(other and not one for one, other in right),
        kl=round(sum(apart) / max(1, len(apart)), 4),
    )


@torch.inference_mode()
def _apart(student: Any, prompt: list[int], said: list[int]) -> float:
    """Mean KL(base || student) of the next tokens along what the base said."""
    with student.disable_adapter():
        likely = _next(student, prompt, said)
    return float(kl_div(_next(student, prompt, said), likely, log_target=True, reduction="batchmean"))


def _next(model: Any, prompt: list[int], said: list[int]) -> torch.Tensor:
    """Log-likelihoods of every next token along an answer: (tokens, vocabulary)."""
    tokens = torch.tensor([[*prompt, *said]], device=model.device)
    logits = model(input_ids=tokens, logits_to_keep=len(said) + 1).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1)
