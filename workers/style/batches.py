"""Lessons as tensors, and the loss on the answer alone.

Two things save a small model half of the work. What all prompts of a batch begin with is read once. And batches are
padded on the left, so that their answers end together and the language model's head, the widest layer by far, is
computed for the last few positions only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from bot.serving.prompt import Prompter
from workers.style import factual
from workers.style.lessons import Lesson

IGNORED = -100


@dataclass(frozen=True)
class Example:
    """The token ids of prompt and answer; `answer` counts the answer's tokens, the end of turn included. `left_out` are
    places among them on which no loss is taken."""

    tokens: tuple[int, ...]
    answer: int
    left_out: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Batch:
    """`prefix` has the shape (1, shared tokens), `tokens`, `positions` and `labels` (rows, longest rest), `mask` (rows,
    both together). Labels are `IGNORED` outside answers; `answer_tokens` counts the others."""

    prefix: torch.Tensor
    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    longest_answer: int
    real_tokens: int
    answer_tokens: int


def example(tokenizer: Any, lesson: Lesson) -> Example:
    """Tokenize as the model server does, and end the answer as the model ends its turn."""
    prompt = Prompter(tokenizer).tokens(lesson.messages)
    answer = [*tokenizer.encode(lesson.answer, add_special_tokens=False), tokenizer.eos_token_id]
    return Example((*prompt, *answer), len(answer), _left_out(tokenizer, lesson))


def batches(examples: Sequence[Example], size: int, device: str) -> list[Batch]:
    """Examples of like length together, so that little is padded."""
    ranked = sorted(examples, key=lambda one: len(one.tokens))
    return [_batch(ranked[start : start + size], device) for start in range(0, len(ranked), size)]


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The sum of -log p over the answers' tokens, in fp32."""
    read = model(input_ids=batch.prefix, use_cache=True, logits_to_keep=1).past_key_values
    read.batch_repeat_interleave(len(batch.tokens))  # the gradient flows back through it
    logits = model(
        input_ids=batch.tokens,
        attention_mask=batch.mask,
        position_ids=batch.positions,
        past_key_values=read,
        logits_to_keep=batch.longest_answer + 1,  # the token before the answer predicts its first token
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


def _left_out(tokenizer: Any, lesson: Lesson) -> frozenset[int]:
    """The places of the answer's tokens on which no loss is taken. The end of turn is never among them."""
    if lesson.learned == "all":
        return frozenset()
    carrying = factual.spans(lesson.answer, lesson.messages[-1]["content"])
    offsets = tokenizer(lesson.answer, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    keeps_facts = lesson.learned == "facts"
    return frozenset(place for place, span in enumerate(offsets) if factual.overlap(span, carrying) is not keeps_facts)


def _labels(one: Example, width: int) -> list[int]:
    answer = [IGNORED if n in one.left_out else token for n, token in enumerate(one.tokens[-one.answer :])]
    return [IGNORED] * (width - one.answer) + answer


def _batch(examples: Sequence[Example], device: str) -> Batch:
    prefix = _shared(examples)
    rests = [one.tokens[len(prefix) :] for one in examples]
    width = max(map(len, rests))
    pads = [width - len(rest) for rest in rests]
    labels = [_labels(one, width) for one in examples]
    mask = torch.tensor([[1] * len(prefix) + [0] * pad + [1] * (width - pad) for pad in pads], device=device)
    return Batch(
        prefix=torch.tensor([prefix], device=device),
        tokens=torch.tensor([[0] * pad + list(rest) for pad, rest in zip(pads, rests, strict=True)], device=device),
        positions=mask.cumsum(-1)[:, -width:] - 1,
        mask=mask,
        labels=torch.tensor(labels, device=device),
        longest_answer=max(one.answer for one in examples),
        real_tokens=sum(len(one.tokens) for one in examples),
        answer_tokens=sum(one.answer - len(one.left_out) for one in examples),
    )


def _shared(examples: Sequence[Example]) -> list[int]:
    """What all prompts begin with, short of the last token, which predicts the answer's first."""
    prompts = [one.tokens[: -one.answer - 1] for one in examples]
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))]
