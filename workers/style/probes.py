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

MOST_TOKENS = 32

# Questions that a very small model, too, often answers rightly, with what the answer must hold.
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Italy?", "Rome"),
    ("What is the capital of Japan?", "Tokyo"),
    ("Which planet is known as the Red Planet?", "Mars"),
    ("What is the largest ocean on Earth?", "Pacific"),
    ("Who wrote the play Romeo and Juliet?", "Shakespeare"),
    ("What gas do plants take in from the air?", "carbon dioxide"),
    ("On which continent is Egypt?", "Africa"),
    ("What is the largest planet in the solar system?", "Jupiter"),
    ("What is water made of?", "hydrogen"),
    ("Which organ pumps blood through the body?", "heart"),
    ("Which country has the city of Berlin?", "Germany"),
)


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


def closed_book(student: Any, tokenizer: Any, questions: Sequence[tuple[str, str]] = QUESTIONS) -> ClosedBook:
    """Ask the base (the student with its adapter switched off) and the student."""
    was_training = student.training
    student.eval()
    prompter = Prompter(tokenizer)
    divergence, known, lost, found = [], 0, 0, 0
    with torch.inference_mode():
        for question, answer in questions:
            prompt = prompter.tokens([{"role": "user", "content": question}])
            with student.disable_adapter():
                told = _told(student, tokenizer, prompt)
                likely = _next(student, prompt, told)
            divergence.append(
                float(kl_div(_next(student, prompt, told), likely, log_target=True, reduction="batchmean"))
            )
            before, after = (_holds(tokenizer, one, answer) for one in (told, _told(student, tokenizer, prompt)))
            known, lost, found = known + before, lost + (before and not after), found + (after and not before)
    student.train(was_training)
    return ClosedBook(len(questions), known, lost, found, round(sum(divergence) / max(1, len(questions)), 4))


def _told(model: Any, tokenizer: Any, prompt: list[int]) -> list[int]:
    """The greedy answer's tokens."""
    read = torch.tensor([prompt], device=model.device)
    said = model.generate(
        input_ids=read,
        attention_mask=torch.ones_like(read),
        max_new_tokens=MOST_TOKENS,
        do_sample=False,
        pad_token_id=tokenizer.eos_token_id,
    )
    return [int(token) for token in said[0, len(prompt) :]]


def _next(model: Any, prompt: list[int], told: list[int]) -> torch.Tensor:
    """Log-likelihoods of every next token along an answer: (tokens, vocabulary)."""
    tokens = torch.tensor([[*prompt, *told]], device=model.device)
    logits = model(input_ids=tokens, logits_to_keep=len(told) + 1).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1)


def _holds(tokenizer: Any, told: list[int], answer: str) -> bool:
    return overlap.holds(tokenizer.decode(told, skip_special_tokens=True), [answer])
