"""How well a model does what the consultant is taught, and what it lost, outside of any server: greedy answers to the
held-out lessons, instructions whose following a program can check (IFEval, Zhou et al. 2023), and perplexity."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bot import ground, sentences
from bot.quality import overlap
from bot.serving.prompt import Prompter
from workers.style.lessons import Lesson

ROWS = 8
MOST_ANSWER_TOKENS, MOST_TASK_TOKENS = 96, 200
MOST_TEXT_TOKENS = 256


@dataclass(frozen=True)
class Examination:
    """Means over the held-out lessons of one source, each 0..1 but `words`: token F1 of the words between `**` (of the
    whole answer where there are none) and recall of the right ones, right excerpt cited, sentences that stand in an
    excerpt by their words alone; and the words of an answer."""

    questions: int
    span_f1: float
    span_recall: float
    cited: float
    supported: float
    words: float


def examine(model: Any, tokenizer: Any, lessons: Sequence[Lesson]) -> tuple[Examination, list[str]]:
    """Answer every lesson's question and compare with the lesson's answer."""
    said = generate(model, tokenizer, [one.messages for one in lessons], MOST_ANSWER_TOKENS)
    found = [judged(one, answer) for one, answer in zip(lessons, said, strict=True)]
    columns = [statistics.fmean(column) for column in zip(*found, strict=True)]
    return Examination(len(lessons), *(round(value, 3) for value in columns)), said


def judged(lesson: Lesson, said: str) -> tuple[float, float, float, float, float]:
    """The figures of one answer."""
    wanted, right = _parted(lesson.answer)
    plain, key = _parted(said)
    shown = sentences.split(plain)
    excerpts = lesson.messages[-1]["content"]
    stand = [_stands(one, excerpts) for one in shown]
    return (
        overlap.token_f1(key or plain, [right or wanted]),
        overlap.recall(plain, [right or wanted]),
        float(bool(set(sentences.markers(plain)[:1]) & set(sentences.markers(wanted)))),
        statistics.fmean(stand) if stand else 0.0,
        len(sentences.without_markers(plain).split()),
    )


def _parted(answer: str) -> tuple[str, str]:
    """An answer's sentences, and the words that it points out in a last line of their own."""
    plain, _, last = answer.strip().rpartition("\n")
    key = sentences.lone_key(last)
    return (plain, key) if key else (answer, "")


def _stands(sentence: str, excerpts: str) -> float:
    """The share of a sentence's words that stand in what was read; 1 from the bar of `bot.ground` on."""
    words = overlap.tokens(sentence)
    there = set(overlap.tokens(excerpts))
    return float(sum(word in there for word in words) >= ground.BAR.coverage * len(words)) if words else 0.0


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, asked: Sequence[Sequence[dict[str, str]]], most_tokens: int) -> list[str]:
    """Greedy answers to chats, a few of like length at a time."""
    model.eval()
    prompts = [list(Prompter(tokenizer).tokens(tuple(messages))) for messages in asked]
    said: dict[int, str] = {}
    ranked = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
    for start in range(0, len(ranked), ROWS):
        several = ranked[start : start + ROWS]
        width = max(len(prompts[n]) for n in several)
        ids = [[0] * (width - len(prompts[n])) + prompts[n] for n in several]
        mask = [[0] * (width - len(prompts[n])) + [1] * len(prompts[n]) for n in several]
        tokens = model.generate(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=most_tokens,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
        for n, text in zip(several, tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True), strict=True):
            said[n] = text.strip()
    return [said[n] for n in range(len(prompts))]


@torch.inference_mode()
def perplexity(model: Any, tokenizer: Any, texts: Sequence[str]) -> float:
    """exp of the mean -log p of a token, over the beginnings of texts."""
    model.eval()
    total, tokens = 0.0, 0
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text)[:MOST_TEXT_TOKENS]], device=model.device)
        total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    return round(math.exp(total / tokens), 2)


def followed(model: Any, tokenizer: Any, tasks: Sequence[dict[str, Any]]) -> tuple[int, float]:
    """Of the tasks {prompt, instruction_id_list, kwargs} that can be checked here: how many there are, and the share
    in which every instruction was followed."""
    checked = [task for task in tasks if set(task["instruction_id_list"]) <= set(CHECKS)]
    chats = [({"role": "user", "content": task["prompt"]},) for task in checked]
    said = generate(model, tokenizer, chats, MOST_TASK_TOKENS)
    kept = [
        all(
            CHECKS[name](answer, arguments)
            for name, arguments in zip(task["instruction_id_list"], task["kwargs"], strict=True)
        )
        for task, answer in zip(checked, said, strict=True)
    ]
    return len(checked), round(statistics.fmean(kept), 3) if kept else 0.0


def _as_many(count: int, relation: str, wanted: int) -> bool:
    return count >= wanted if relation == "at least" else count < wanted


# The plainest of IFEval's instructions, checked as its own program does, without a language detector.
CHECKS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "punctuation:no_comma": lambda said, _: "," not in said,
    "length_constraints:number_sentences": lambda said, want: _as_many(
        len(sentences.split(said)), want["relation"], want["num_sentences"]
    ),
    "length_constraints:number_words": lambda said, want: _as_many(
        len(said.split()), want["relation"], want["num_words"]
    ),
    "detectable_format:title": lambda said, _: "<<" in said and ">>" in said,
    "keywords:forbidden_words": lambda said, want: not set(want["forbidden_words"]) & set(overlap.tokens(said)),
    "keywords:existence": lambda said, want: all(word.lower() in said.lower() for word in want["keywords"]),
    "keywords:frequency": lambda said, want: _as_many(
        said.lower().count(want["keyword"].lower()), want["relation"], want["frequency"]
    ),
    "keywords:letter_frequency": lambda said, want: _as_many(
        said.lower().count(want["letter"].lower()), want["let_relation"], want["let_frequency"]
    ),
    "change_case:english_lowercase": lambda said, _: said == said.lower(),
    "change_case:english_capital": lambda said, _: said == said.upper(),
    "startend:quotation": lambda said, _: said.startswith('"') and said.endswith('"'),
    "startend:end_checker": lambda said, want: said.lower().endswith(want["end_phrase"].strip().lower()),
    "detectable_content:postscript": lambda said, want: want["postscript_marker"].lower() in said.lower(),
}
