"""Replay: the base's own answers, mixed in with the lessons, keep still what is not to be learned.

Half of them are its answers to the very prompts that are learned from, where its sentences are supported: of those the
loss is taken on the facts alone, since they are said in the old style. The other half are its answers to general
questions without passages, so that the style stays with consultations.
"""

import random
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

import torch

from bot import ground
from bot.records import Passage
from bot.serving.prompt import Prompter
from workers.style.lessons import Lesson

MOST_TOKENS = 64
TOGETHER = 8

# Other questions than those of `workers.style.probes`.
GENERAL = (
    "What is the capital of Spain?",
    "Why is the sky blue?",
    "How many days are in a week?",
    "What do bees make?",
    "Name three primary colours.",
    "What is the opposite of hot?",
    "Who painted the Mona Lisa?",
    "What is the freezing point of water?",
    "Which animal is the largest on land?",
    "What does a thermometer measure?",
    "In which season do leaves fall?",
    "What language is spoken in Brazil?",
)


def lessons(base: Any, tokenizer: Any, learned: Sequence[Lesson], share: float, seed: int) -> list[Lesson]:
    """As many replays as `share` of the lessons; fewer where too few of the base's answers are supported."""
    count, chance = round(share * len(learned)), random.Random(seed)
    if not count:
        return []
    asked = [one.messages for one in chance.sample(list(learned), min(len(learned), count))]
    plain = [({"role": "user", "content": question},) for question in chance.sample(GENERAL, len(GENERAL))[:count]]
    grounded = [
        Lesson(messages, said, "facts")
        for messages, said in zip(asked, told(base, tokenizer, asked), strict=True)
        if said and _supported(said, messages[-1]["content"])
    ]
    general = [
        Lesson(messages, said) for messages, said in zip(plain, told(base, tokenizer, plain), strict=True) if said
    ]
    in_turn = chain.from_iterable(zip_longest(grounded, general))
    return [one for one in in_turn if one][:count]


@torch.inference_mode()
def told(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Sequence[dict[str, str]]],
    most_tokens: int = MOST_TOKENS,
    temperature: float = 0.0,
) -> list[str]:
    """A model's answers to chats, several of like length at a time; greedy at temperature 0."""
    was_training = model.training
    model.eval()
    prompter = Prompter(tokenizer)
    prompts = [prompter.tokens(tuple(messages)) for messages in asked]
    said = [""] * len(prompts)
    ranked = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
    for start in range(0, len(ranked), TOGETHER):
        several = ranked[start : start + TOGETHER]
        width = max(len(prompts[n]) for n in several)
        pads = [width - len(prompts[n]) for n in several]
        tokens = model.generate(
            input_ids=torch.tensor([[0] * pad + prompts[n] for pad, n in zip(pads, several, strict=True)]).to(
                model.device
            ),
            attention_mask=torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads]).to(model.device),
            max_new_tokens=most_tokens,
            pad_token_id=tokenizer.eos_token_id,
            **sampling,
        )
        for n, text in zip(several, tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True), strict=True):
            said[n] = text.strip()
    model.train(was_training)
    return said


def _supported(said: str, read: str) -> bool:
    passage = Passage("", 0, "", "", "", None, read, 0.0)
    return not ground.unsupported(said.replace("**", ""), [passage])
