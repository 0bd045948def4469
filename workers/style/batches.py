"""Lessons as tensors, and the loss on the answer alone.

Two things save a small model half of the work. What all prompts of a batch begin with is read once. And batches are
padded on the left, so that their answers end together and the language model's head, the widest layer by far, is
computed for the last few positions only.

What is learned at a token is the token itself, or what the base would say there, or both in shares: so a lesson can be
held to the base where it is not to change it (after Hinton et al. 2015, arXiv:1503.02531, at temperature 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch.nn.functional import log_softmax, pad

from bot.serving.prompt import Prompter
from workers.style import factual, soft
from workers.style.lessons import Lesson

Loss = Callable[[Any, Any], torch.Tensor]  # of a model and a batch: a sum, of which the batch's `weight` makes a mean


class Likely(NamedTuple):
    """The likeliest tokens at each place of an answer and their chances, both (answer tokens, so many)."""

    tokens: torch.Tensor
    chances: torch.Tensor


@dataclass(frozen=True)
class Example:
    """The token ids of prompt and answer. `weights` has one number for each of the answer's tokens, the end of turn
    included: how much the loss on it counts. The rest to 1 is the loss on what the base finds `likely` there, or
    nothing where that is not known."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    likely: Likely | None = None

    @property
    def answer(self) -> int:
        """How many tokens the answer has."""
        return len(self.weights)


@dataclass(frozen=True)
class Batch:
    """`prefix` has the shape (1, shared tokens), `tokens` and `positions` (rows, longest rest), `mask` (rows, both
    together), `labels` and `weights` (rows, longest answer), `likely` twice (rows, longest answer, so many), its
    chances as much as they count. Outside answers all are 0. `weight` is the sum of what counts: the number of answer
    tokens where each counts 1."""

    prefix: torch.Tensor
    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    likely: Likely
    real_tokens: int
    weight: float


def example(tokenizer: Any, lesson: Lesson) -> Example:
    """Tokenize as the model server does, and end the answer as the model ends its turn."""
    prompt = Prompter(tokenizer).tokens(lesson.messages)
    said = tokenizer.encode(lesson.answer, add_special_tokens=False)
    end = 0.0 if lesson.replayed else 1.0
    return Example((*prompt, *said, tokenizer.eos_token_id), (*_weights(tokenizer, lesson, len(said)), end))


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
    labels = [[0] * gap + list(one.tokens[-one.answer :]) for gap, one in zip(before, examples, strict=True)]
    weights = [[0.0] * gap + list(one.weights) for gap, one in zip(before, examples, strict=True)]
    likely = _likely(examples, longest)
    mask = torch.tensor([[1] * len(prefix) + [0] * pad + [1] * (width - pad) for pad in pads], device=device)
    return Batch(
        prefix=torch.tensor([prefix], device=device),
        tokens=torch.tensor([[0] * pad + list(rest) for pad, rest in zip(pads, rests, strict=True)], device=device),
        positions=mask.cumsum(-1)[:, -width:] - 1,
        mask=mask,
        labels=torch.tensor(labels, device=device),
        weights=torch.tensor(weights, device=device),
        likely=Likely(*(part.to(device) for part in likely)),
        real_tokens=sum(len(one.tokens) for one in examples),
        weight=sum(one.answer if one.likely else sum(one.weights) for one in examples),
    )


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The weighted sum of -log p over the answers' tokens, in fp32."""
    return answer_losses(model, batch).sum()


def answer_losses(model: Any, batch: Batch) -> torch.Tensor:
    """The same for each answer: (rows,)."""
    said = likelihoods(model, batch)
    itself = said.gather(-1, batch.labels[..., None])[..., 0] * batch.weights
    as_the_base = (said.gather(-1, batch.likely.tokens) * batch.likely.chances).sum(dim=-1)
    return -(itself + as_the_base).sum(dim=-1)


def likelihoods(model: Any, batch: Batch) -> torch.Tensor:
    """log p of every token at each place of the answers, in fp32: (rows, longest answer, vocabulary). Shorter answers
    stand at the end."""
    reader, virtual = soft.split(model)
    front = soft.before(reader, virtual, batch.prefix[0])
    read = reader.base_model(inputs_embeds=front[None], use_cache=True).past_key_values  # without the head
    read.batch_repeat_interleave(len(batch.tokens))  # the gradient flows back through it
    states = reader.base_model(
        input_ids=batch.tokens,
        attention_mask=pad(batch.mask, (len(virtual), 0), value=1),
        position_ids=batch.positions + len(virtual),
        past_key_values=read,
    ).last_hidden_state
    before = slice(-batch.labels.shape[1] - 1, -1)  # each token is predicted at the one before it
    logits = reader.get_output_embeddings()(states[:, before])
    return log_softmax(logits.float(), dim=-1)


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
    """What each of the answer's tokens counts."""
    if lesson.replayed:
        return (0.0,) * count
    if lesson.fact_weight == 1:
        return (1.0,) * count
    carrying = factual.spans(lesson.answer, lesson.messages[-1]["content"])
    offsets = tokenizer(lesson.answer, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return tuple(lesson.fact_weight if factual.overlap(span, carrying) else 1.0 for span in offsets)


def _likely(examples: Sequence[Example], longest: int) -> Likely:
    """What the base finds likely, as much as it counts; nothing where no example knows it."""
    most = max((one.likely.tokens.shape[1] for one in examples if one.likely), default=0)
    tokens = torch.zeros(len(examples), longest, most, dtype=torch.long)
    chances = torch.zeros(len(examples), longest, most)
    for row, one in enumerate(examples):
        if one.likely:
            tokens[row, -one.answer :] = one.likely.tokens
            chances[row, -one.answer :] = one.likely.chances * (1 - torch.tensor(one.weights))[:, None]
    return Likely(tokens, chances)


def _shared(examples: Sequence[Example]) -> list[int]:
    """What all prompts begin with, short of the last token, which predicts the answer's first."""
    prompts = [one.tokens[: -one.answer - 1] for one in examples]
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))]
