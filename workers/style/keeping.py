"""Replay: the base's own answers to general questions without passages, mixed in with the lessons, so that the style
stays with consultations. Its answers to consultations are not replayed: they are said in the voice that is to go.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch

from bot.serving.prompt import Prompter
from workers.style.lessons import Lesson

MOST_TOKENS = 64
TOGETHER = 24

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


def lessons(base: Any, tokenizer: Any, learned: int, share: float, seed: int) -> list[Lesson]:
    """Replays for so many lessons: a `share` of their number, at most one of each question."""
    count = min(round(share * learned), len(GENERAL))
    asked = [({"role": "user", "content": question},) for question in random.Random(seed).sample(GENERAL, count)]
    answers = told(base, tokenizer, asked)
    return [Lesson(messages, said) for messages, said in zip(asked, answers, strict=True) if said]


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
