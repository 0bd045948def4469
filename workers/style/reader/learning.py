"""Examples as batches of tokens, and what a reader is taught and examined by."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, TaskType, get_peft_model, set_peft_model_state_dict
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModelForQuestionAnswering

from bot import tokens
from bot.quality import overlap, risk
from bot.reading import read
from bot.records import Passage
from bot.serving.reader import Encoded, Reader, encoded
from workers.style.course import adapter_weights
from workers.style.reader.material import Example
from workers.style.recipe import Recipe

SORTED_TOGETHER = 40  # batches, so that those of a batch are about as long and little is padded


class Tokens(NamedTuple):
    """A batch (texts, tokens): `kinds` is 0 for the question's, 1 for the text's; no answer may stand where `barred`.
    `starts` and `ends` are 0, the first token, where there is none. `weight` is how many texts it has."""

    ids: torch.Tensor
    real: torch.Tensor
    kinds: torch.Tensor
    barred: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor

    @property
    def weight(self) -> int:
        return len(self.ids)

    @property
    def real_tokens(self) -> int:
        return int(self.real.sum())


class _Row(NamedTuple):
    read: Encoded
    start: int
    end: int


def student(folder: Path, recipe: Recipe) -> Any:
    """The embedding model with two outputs a token and low-rank changes to learn; its norms are learned whole."""
    base = AutoModelForQuestionAnswering.from_pretrained(folder, attn_implementation="sdpa")
    config = LoraConfig(
        task_type=TaskType.QUESTION_ANS,
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=["query", "key", "value", "dense"],
        modules_to_save=["LayerNorm", "qa_outputs"],
    )
    return get_peft_model(base, config)


def meet_halfway(student: Any, begun: Mapping[str, torch.Tensor]) -> None:
    """The student's weights become the mean of its own and those that it began with, which reads better than either
    (Wortsman et al. 2022, "Model soups"; LOG.md)."""
    met = {name: (value + begun[name]) / 2 for name, value in adapter_weights(student).items()}
    set_peft_model_state_dict(student, met)


def batches(folder: Path, examples: Sequence[Example], size: int, seed: int) -> list[Tokens]:
    """The examples, shuffled, those of about the same length together."""
    tokenizer = tokens.uncut(folder / "tokenizer.json")
    chance, made = random.Random(seed), list[Tokens]()
    rows = [row for one in chance.sample(list(examples), len(examples)) if (row := _row(tokenizer, one))]
    for begin in range(0, len(rows), size * SORTED_TOGETHER):
        some = sorted(rows[begin : begin + size * SORTED_TOGETHER], key=lambda row: len(row.read.ids))
        made += [_together(some[at : at + size]) for at in range(0, len(some), size)]
    return made


def _row(tokenizer: Tokenizer, one: Example) -> _Row | None:
    """None where the answer is cut off."""
    read = encoded(tokenizer, one.question, one.place, one.text)
    if not one.end:
        return _Row(read, 0, 0)
    within = [n for n, (here, there) in enumerate(read.places) if here < one.end and there > one.start]
    if not within or read.places[within[-1]][1] < one.end:
        return None
    return _Row(read, read.first + within[0], read.first + within[-1])


def _together(rows: Sequence[_Row]) -> Tokens:
    shape = (len(rows), max(len(row.read.ids) for row in rows))
    ids, real, kinds = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    barred = torch.ones(shape, dtype=torch.bool)
    for n, row in enumerate(rows):
        read, count = row.read, len(row.read.ids)
        ids[n, :count], real[n, :count], kinds[n, read.asked : count] = torch.tensor(read.ids), 1, 1
        barred[n, read.first : count - 1] = barred[n, 0] = False
    starts, ends = (torch.tensor(places) for places in zip(*((row.start, row.end) for row in rows), strict=True))
    return Tokens(ids, real, kinds, barred, starts, ends)


def loss(model: Any, batch: Tokens) -> torch.Tensor:
    """Cross entropy of where the answer begins and of where it ends (Devlin et al. 2019), summed over the texts."""
    device = model.device
    said = model(
        input_ids=batch.ids.to(device), attention_mask=batch.real.to(device), token_type_ids=batch.kinds.to(device)
    )
    lowest, summed = torch.finfo(torch.float32).min, torch.zeros((), device=device)
    for scores, places in ((said.start_logits, batch.starts), (said.end_logits, batch.ends)):
        allowed = scores.float().masked_fill(batch.barred.to(device), lowest)
        summed = summed + nn.functional.cross_entropy(allowed, places.to(device), reduction="sum") / 2
    return summed


def examined(reader: Reader, examples: Sequence[Example]) -> dict[str, float]:
    """How well a reader parts texts that answer from those that do not (area under the ROC curve), and the token F1 of
    the words that it points at in those that do."""
    odds, answers, overlaps = list[float](), list[bool](), list[float]()
    for one in examples:
        passage = Passage("", 0, "", one.place, "", None, one.text, 0.0)
        best = max(read(reader, one.question, [passage])[0])
        odds.append(best.odds)
        answers.append(bool(one.end))
        if one.end:
            overlaps.append(overlap.token_f1(best.words, [one.text[one.start : one.end]]))
    return {
        "texts": len(examples),
        "separation": round(risk.separation(odds, answers), 3),
        "f1": round(sum(overlaps) / len(overlaps), 3),
    }
