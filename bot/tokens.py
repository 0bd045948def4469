"""How many tokens a text has for the embedding model: its own tokenizer, without the model and without torch."""

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from bot.errors import ModelMissing
from bot.serving.weights import locate
from bot.settings import Settings

TOKENS_A_WORD = 1.4  # all-MiniLM-L6-v2's word pieces over English manuals
DEFAULT_WINDOW = 256
NO_WINDOW = 10**6  # transformers writes an astronomic number for "no limit"

Count = Callable[[list[str]], list[int]]


def counter(settings: Settings) -> Count:
    """A function from texts to their token counts, without special tokens; estimates for a model served elsewhere."""
    try:
        return _counter_of(locate(settings.embedding_model, settings) / "tokenizer.json")
    except ModelMissing:
        return _estimate


def window(settings: Settings) -> int:
    """How many tokens of a text the embedding model reads, special tokens included; what comes after is not seen."""
    try:
        return window_of(locate(settings.embedding_model, settings))
    except ModelMissing:
        return DEFAULT_WINDOW


def window_of(folder: Path) -> int:
    """The window of the sentence-transformers model in a folder."""
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        file = folder / name
        tokens = json.loads(file.read_text()).get(key) if file.is_file() else None
        if tokens and tokens < NO_WINDOW:
            return int(tokens)
    return DEFAULT_WINDOW


def uncut(file: Path) -> Tokenizer:
    """A tokenizer that cuts off and pads nothing."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@functools.cache
def _counter_of(file: Path) -> Count:
    if not file.is_file():
        return _estimate
    tokenizer = uncut(file)

    def count(texts: list[str]) -> list[int]:
        # one by one: a batch would start threads, which do not survive the fork of a worker
        return [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]

    return count


def _estimate(texts: list[str]) -> list[int]:
    return [math.ceil(len(text.split()) * TOKENS_A_WORD) for text in texts]
