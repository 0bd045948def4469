"""What the base does by itself and is to go on doing.

Replay: its own answers to general questions without passages, mixed in with the lessons, so that the style stays with
consultations. Its answers to consultations are not replayed: they are said in the voice that is to go. But a base that
points out the words that answer, in a line behind them, does so behind an approved answer, too, and that is learned.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from bot import sentences
from bot.serving.prompt import Prompter
from workers.style import soft
from workers.style.lessons import Lesson

MOST_TOKENS = 64
KEY_TOKENS = 24
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
    "What is the capital of Australia?",
    "What is the capital of Norway?",
    "On which continent is Kenya?",
    "On which continent is Spain?",
    "Which ocean lies between Europe and North America?",
    "Which river flows through Paris?",
    "Which country has the city of Toronto?",
    "In which country are the pyramids of Giza?",
    "In which city is the Statue of Liberty?",
    "What is the longest river in the world?",
    "What is the smallest planet in the solar system?",
    "What is the star at the centre of the solar system?",
    "How long does the Earth take to go around the sun?",
    "Who wrote the play Hamlet?",
    "Who invented the light bulb?",
    "Who composed the Ninth Symphony?",
    "Who was Cleopatra?",
    "What is the chemical symbol for silver?",
    "What do plants need to grow?",
    "What is the hardest natural material?",
    "What is the boiling point of water?",
    "Which metal is liquid at room temperature?",
    "Which organ cleans the blood?",
    "How many legs does a spider have?",
    "What is a baby cat called?",
    "What do caterpillars turn into?",
    "Which bird cannot fly but swims well?",
    "What do you call a person who bakes bread?",
    "What colour do you get when you mix red and white?",
    "How many minutes are in an hour?",
    "How many sides does a triangle have?",
    "What is two plus three?",
    "What is the opposite of early?",
    "What is a synonym of happy?",
    "What is the capital of Poland?",
    "What is the capital of Mexico?",
    "On which continent is Mexico?",
    "On which continent is Japan?",
    "Which country has the city of Rome?",
    "Which country has the city of Moscow?",
    "In which city is the Tower Bridge?",
    "What is the largest animal in the sea?",
    "Who wrote the novel Pride and Prejudice?",
    "Who wrote Harry Potter?",
    "Who painted the Sistine Chapel?",
    "What is the chemical symbol for iron?",
    "What is the chemical symbol for water?",
    "Which gas makes balloons rise?",
    "How many hours are in a day?",
    "How many seconds are in a minute?",
    "What is ten minus four?",
    "What is a baby sheep called?",
    "What do you call a person who teaches?",
    "What is the opposite of up?",
    "Which season is the coldest?",
    "What do we call frozen rain?",
    "Which sense uses the ears?",
    "What colour is grass?",
    "Write a sentence about the sea.",
    "Give one tip for sleeping well.",
)


def lessons(base: Any, tokenizer: Any, learned: int, share: float, seed: int) -> list[Lesson]:
    """Replays for so many lessons: a `share` of their number, at most one of each question."""
    count = min(round(share * learned), len(GENERAL))
    asked = [({"role": "user", "content": question},) for question in random.Random(seed).sample(GENERAL, count)]
    answers = told(base, tokenizer, asked)
    return [Lesson(messages, said) for messages, said in zip(asked, answers, strict=True) if said]


def pointing(base: Any, tokenizer: Any, lessons: Sequence[Lesson]) -> list[Lesson]:
    """The lessons, each with the line by which the base would point out the words of its answer, where it would."""
    prompter = Prompter(tokenizer)
    read = [
        [*prompter.tokens(one.messages), *tokenizer.encode(one.answer, add_special_tokens=False)] for one in lessons
    ]
    behind = [sentences.lone_key(said) for said in continued(base, tokenizer, read, KEY_TOKENS)]
    return [
        replace(one, answer=f"{one.answer}\n**{key}**") if any(sentences.span(key, one.answer)) else one
        for one, key in zip(lessons, behind, strict=True)
    ]


def told(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Sequence[dict[str, str]]],
    most_tokens: int = MOST_TOKENS,
    temperature: float = 0.0,
) -> list[str]:
    """A model's answers to chats; greedy at temperature 0."""
    prompter = Prompter(tokenizer)
    prompts = [prompter.tokens(tuple(messages)) for messages in asked]
    return continued(model, tokenizer, prompts, most_tokens, temperature)


@torch.inference_mode()
def continued(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], most_tokens: int, temperature: float = 0.0
) -> list[str]:
    """What a model writes after each prompt, several of like length at a time."""
    was_training = model.training
    model.eval()
    reader, virtual = soft.split(model)
    said = [""] * len(prompts)
    ranked = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
    for start in range(0, len(ranked), TOGETHER):
        several = ranked[start : start + TOGETHER]
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
