"""Lessons as tensors, and the loss on the answer alone.

Batches are padded on the left, so that all answers of a batch end together: then the language model's head, the most
expensive layer of a small model, is computed for the last few positions only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from bot.serving.prompt import Prompter
from workers.style.lessons import Lesson

IGNORED = -100


@dataclass(frozen=True)
class Example:
    """The token ids of prompt and answer; `answer` counts the answer's tokens, the end of turn included."""

    tokens: tuple[int, ...]
    answer: int


@dataclass(frozen=True)
class Batch:
    """`tokens`, `mask` and `labels` have the shape (rows, longest row); labels are `IGNORED` outside answers."""

    tokens: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    longest_answer: int
    real_tokens: int
    answer_tokens: int


def example(tokenizer: Any, lesson: Lesson) -> Example:
    """Tokenize as the model server does, and end the answer as the model ends its turn."""
    prompt = Prompter(tokenizer).tokens(lesson.messages)
    answer = [*tokenizer.encode(lesson.answer, add_special_tokens=False), tokenizer.eos_token_id]
    return Example((*prompt, *answer), len(answer))


def batches(examples: Sequence[Example], size: int, device: str) -> list[Batch]:
    """Examples of like length together, so that little is padded."""
    ranked = sorted(examples, key=lambda one: len(one.tokens))
    return [_batch(ranked[start : start + size], device) for start in range(0, len(ranked), size)]


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The sum of -log p over the answers' tokens, in fp32."""
    logits = model(
        input_ids=batch.tokens,
        attention_mask=batch.mask,
        position_ids=(batch.mask.cumsum(-1) - 1).clamp(min=0),
        logits_to_keep=batch.longest_answer + 1,  # the token before the answer predicts its first token
        use_cache=False,
    ).logits[:, :-1]
    labels = batch.labels[:, -batch.longest_answer :]
    return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def held_out_loss(model: Any, examined: Sequence[Batch]) -> float:
    """The mean -log p of an answer token, in nats. The same for the base, the speaking version and a candidate."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        total = sum(answer_loss(model, batch).item() for batch in examined)
    model.train(was_training)
    return float(total / sum(batch.answer_tokens for batch in examined))


def _batch(examples: Sequence[Example], device: str) -> Batch:
    width = max(len(one.tokens) for one in examples)
    pads = [width - len(one.tokens) for one in examples]
    tokens = [[0] * pad + list(one.tokens) for one, pad in zip(examples, pads, strict=True)]
    mask = [[0] * pad + [1] * len(one.tokens) for one, pad in zip(examples, pads, strict=True)]
    labels = [[IGNORED] * (width - one.answer) + list(one.tokens[-one.answer :]) for one in examples]
    return Batch(
        tokens=torch.tensor(tokens, device=device),
        mask=torch.tensor(mask, device=device),
        labels=torch.tensor(labels, device=device),
        longest_answer=max(one.answer for one in examples),
        real_tokens=sum(len(one.tokens) for one in examples),
        answer_tokens=sum(one.answer for one in examples),
    )
