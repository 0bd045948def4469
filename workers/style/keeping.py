"""What the base does by itself and is to go on doing.

Replay: general questions without passages are mixed in with the lessons, and what is learned there is how likely the
base finds every word of its own answer, so that the style stays with consultations. Its answers to consultations are
not replayed: they are said in the voice that is to go.
"""

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from bot.serving.precision import has_bfloat16
from bot.serving.prompt import Prompter
from workers.style import soft
from workers.style.batches import Example, Likely, likelihoods, padded
from workers.style.general import REPLAYED
from workers.style.lessons import Lesson

MOST_TOKENS = 64
LIKELIEST = 32  # tokens at each place of an answer; others are hardly ever said
READ_TOGETHER = 8  # answers
TOGETHER, TOKENS_TOGETHER = 100, 12_000  # prompts that are answered at a time, and tokens of theirs


def lessons(base: Any, tokenizer: Any, count: int, seed: int) -> list[Lesson]:
    """So many replays, of which the base has something to say."""
    asked = [({"role": "user", "content": question},) for question in random.Random(seed).sample(REPLAYED, count)]
    answers = told(base, tokenizer, asked)
    return [Lesson(messages, said, replayed=True) for messages, said in zip(asked, answers, strict=True) if said]


def held(base: Any, examples: Sequence[Example]) -> list[Example]:
    """The examples with what the base finds likely, where the words themselves are not all that is learned."""
    found, open_to_the_base = list(examples), [n for n, one in enumerate(examples) if min(one.weights) < 1]
    for start in range(0, len(open_to_the_base), READ_TOGETHER):
        some = open_to_the_base[start : start + READ_TOGETHER]
        for n, likely in zip(some, _likely(base, [examples[n] for n in some]), strict=True):
            found[n] = replace(examples[n], likely=likely)
    return found


@torch.no_grad()  # and not inference mode: what is likely takes part in a backward pass
def _likely(base: Any, examples: Sequence[Example]) -> list[Likely]:
    chances, likeliest = likelihoods(base, padded(examples, base.device)).exp().topk(LIKELIEST)
    chances = chances / chances.sum(dim=-1, keepdim=True)
    return [
        Likely(tokens[-one.answer :].cpu(), chance[-one.answer :].cpu())
        for one, tokens, chance in zip(examples, likeliest, chances, strict=True)
    ]


def told(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Sequence[dict[str, str]]],
    most_tokens: int = MOST_TOKENS,
    temperature: float = 0.0,
    exact: bool = False,
) -> list[str]:
    """A model's answers to chats; greedy at temperature 0."""
    prompter = Prompter(tokenizer)
    prompts = [prompter.tokens(tuple(messages)) for messages in asked]
    return continued(model, tokenizer, prompts, most_tokens, temperature, exact)


@torch.inference_mode()
def continued(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    most_tokens: int,
    temperature: float = 0.0,
    exact: bool = False,
) -> list[str]:
    """What a model writes after each prompt, many of like length at a time. Where the machine computes in bfloat16 it
    does, which is faster, unless it is to be `exact`: there near ties fall as the order of sums does."""
    was_training = model.training
    model.eval()
    reader, virtual = soft.split(model)
    if has_bfloat16() and not exact and reader.dtype != torch.bfloat16:
        reader, virtual = copy.deepcopy(reader).to(torch.bfloat16), virtual.to(torch.bfloat16)
    said = [""] * len(prompts)
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
    for several in _alike(prompts):
        read = [soft.before(reader, virtual, torch.tensor(prompts[n], device=reader.device)) for n in several]
        mask = [torch.ones(len(one), dtype=torch.long, device=reader.device) for one in read]
        tokens = reader.generate(
            inputs_embeds=pad_sequence(read, batch_first=True, padding_side="left"),
            attention_mask=pad_sequence(mask, batch_first=True, padding_side="left"),
            max_new_tokens=most_tokens,
            pad_token_id=tokenizer.eos_token_id,
            **sampling,
        )
        for n, text in zip(several, tokenizer.batch_decode(tokens, skip_special_tokens=True), strict=True):
            said[n] = text.strip()
    model.train(was_training)
    return said


def _alike(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The numbers of the prompts, those of like length together, as many as are read at a time."""
    several = list[int]()
    for n in sorted(range(len(prompts)), key=lambda n: len(prompts[n])):
        if (several and len(prompts[n]) * (len(several) + 1) > TOKENS_TOGETHER) or len(several) == TOGETHER:
            yield several
            several = []
        several.append(n)
    if several:
        yield several
