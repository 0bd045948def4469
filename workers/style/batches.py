"""Lessons as tensors, and the loss on the answer alone.

Two things save a small model half of the work. What all prompts of a batch begin with is read once. And batches are
padded on the left, so that their answers end together and the language model's head, the widest layer by far, is
computed for the last few positions only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch.nn.functional import cross_entropy, pad

from bot.serving.prompt import Prompter
from workers.style import factual, soft
from workers.style.lessons import Lesson

IGNORED = -100

Loss = Callable[[Any, Any], torch.Tensor]  # of a model and a batch: a sum, of which the batch's `weight` makes a mean


@dataclass(frozen=True)
class Example:
    """The token ids of prompt and answer. `weights` has one number for each of the answer's tokens, the end of turn
    included: how much the loss on it counts."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def answer(self) -> int:
        """How many tokens the answer has."""
        return len(self.weights)


@dataclass(frozen=True)
class Batch:
    """`prefix` has the shape (1, shared tokens), `tokens` and `positions` (rows, longest rest), `mask` (rows, both
    together), `labels` and `weights` (rows, longest answer). Outside answers labels are `IGNORED` and weights 0;
    `weight` is the sum of all weights: the number of answer tokens where each counts 1."""

    prefix: torch.Tensor
    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    real_tokens: int
    weight: float


def example(tokenizer: Any, lesson: Lesson) -> Example:
    """Tokenize as the model server does, and end the answer as the model ends its turn."""
    prompt = Prompter(tokenizer).tokens(lesson.messages)
    answer = [*tokenizer.encode(lesson.answer, add_special_tokens=False), tokenizer.eos_token_id]
    return Example((*prompt, *answer), _weights(tokenizer, lesson, len(answer)))


def batches(examples: Sequence[Example], size: int, device: str) -> list[Batch]:
    """Examples of like length together, so that little is padded."""
    ranked = sorted(examples, key=lambda one: len(one.tokens))
    return [padded(ranked[start : start + size], device) for start in range(0, len(ranked), size)]


def padded(examples: Sequence[Example], device: str) -> Batch:
    """One batch, in this order."""
    prefix = _shared(examples)
    rests = [one.tokens[len(prefix) :] for one in examples]
    width = max(map(len, rests))
    pads = [width - len(rest) for rest in rests]
    longest = max(one.answer for one in examples)
    before = [longest - one.answer for one in examples]
    labels = [[IGNORED] * gap + list(one.tokens[-one.answer :]) for gap, one in zip(before, examples, strict=True)]
    weights = [[0.0] * gap + list(one.weights) for gap, one in zip(before, examples, strict=True)]
    mask = torch.tensor([[1] * len(prefix) + [0] * pad + [1] * (width - pad) for pad in pads], device=device)
    return Batch(
        prefix=torch.tensor([prefix], device=device),
        tokens=torch.tensor([[0] * pad + list(rest) for pad, rest in zip(pads, rests, strict=True)], device=device),
        positions=mask.cumsum(-1)[:, -width:] - 1,
        mask=mask,
        labels=torch.tensor(labels, device=device),
        weights=torch.tensor(weights, device=device),
        real_tokens=sum(len(one.tokens) for one in examples),
        weight=sum(sum(one.weights) for one in examples),
    )


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The weighted sum of -log p over the answers' tokens, in fp32."""
    return answer_losses(model, batch).sum()


def answer_losses(model: Any, batch: Batch) -> torch.Tensor:
    """The same for each answer: (rows,)."""
    reader, virtual = soft.split(model)
    front = soft.before(reader, virtual, batch.prefix[0])
    read = reader(inputs_embeds=front[None], use_cache=True, logits_to_keep=1).past_key_values
    read.batch_repeat_interleave(len(batch.tokens))  # the gradient flows back through it
    logits = reader(
        input_ids=batch.tokens,
        attention_mask=pad(batch.mask, (len(virtual), 0), value=1),
        position_ids=batch.positions + len(virtual),
        past_key_values=read,
        logits_to_keep=batch.labels.shape[1] + 1,  # the token before the answer predicts its first token
    ).logits[:, :-1]
    labels = batch.labels.flatten()
    losses = cross_entropy(logits.flatten(0, 1).float(), labels, ignore_index=IGNORED, reduction="none")
    return (losses.view_as(batch.weights) * batch.weights).sum(dim=-1)


def held_out_loss(model: Any, examined: Sequence[Any], loss: Loss = answer_loss) -> float:
    """The mean -log p of an answer token, in nats, or of another loss. The same for the base, the speaking version and
    a candidate."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        total = sum(loss(model, batch).item() for batch in examined)
    model.train(was_training)
    return float(total / sum(batch.weight for batch in examined))


def _weights(tokenizer: Any, lesson: Lesson, count: int) -> tuple[float, ...]:
    """What each of the answer's tokens counts; the end of turn carries no fact."""
    if lesson.fact_weight == 1:
        return (1.0,) * count
    carrying = factual.spans(lesson.answer, lesson.messages[-1]["content"])
    offsets = tokenizer(lesson.answer, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return (*(lesson.fact_weight if factual.overlap(span, carrying) else 1.0 for span in offsets), 1.0)


def _shared(examples: Sequence[Example]) -> list[int]:
    """What all prompts begin with, short of the last token, which predicts the answer's first."""
    prompts = [one.tokens[: -one.answer - 1] for one in examples]
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))]
