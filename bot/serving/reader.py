"""A reader: where in a text a question is answered, as two scores a token (Devlin et al. 2019, section 4.3).

It is the embedding model that comes with Frontdesk, with an adapter of ours merged into it and two outputs a token; the
merged weights are in 8 bits, in memory. `workers.style.reader` makes the adapter. No torch here: pages and workers
read for themselves, whoever serves the chat model.
"""

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from bot.serving.weights import EMBEDDING_MODEL, locate
from bot.settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ADAPTER = Path(__file__).resolve().parents[1] / "models" / "reader"
LONGEST_QUESTION, LONGEST_PLACE, LONGEST_TEXT = 48, 24, 384  # tokens; the rest is cut off
_PREFIX = "base_model.model."

Floats = npt.NDArray[np.float32]


class Scored(NamedTuple):
    """Of a text's tokens: where each stands in it, from and to (n, 2), and how well the answer `starts` and `ends` at
    each (n), less what speaks for no answer at all: sums over nought are likelier an answer than not."""

    places: npt.NDArray[np.int64]
    starts: Floats
    ends: Floats


class Encoded(NamedTuple):
    """What is read: the token `ids` of question and text, the first `asked` of which are the question's; those of the
    text begin at `first`, and each stands in it at one of the `places`, from and to."""

    ids: list[int]
    asked: int
    first: int
    places: list[tuple[int, int]]


def encoded(tokenizer: "Tokenizer", question: str, place: str, text: str) -> Encoded:
    """A question to a text that stands under a title and headings (`place`), as it is learned and read."""
    begin, part = tokenizer.encode("").ids  # [CLS] and [SEP]
    asked = tokenizer.encode(question, add_special_tokens=False).ids[:LONGEST_QUESTION]
    under = tokenizer.encode(f"{place}:", add_special_tokens=False).ids[:LONGEST_PLACE] if place else []
    read = tokenizer.encode(text, add_special_tokens=False)
    ids = [begin, *asked, part, *under, *read.ids[:LONGEST_TEXT], part]
    return Encoded(ids, len(asked) + 2, len(asked) + 2 + len(under), read.offsets[:LONGEST_TEXT])


class Reader:
    """Reads in the calling thread; any number of threads may call."""

    def __init__(self, folder: Path, adapter: Path = ADAPTER) -> None:
        from bot import tokens  # these load large libraries, and most commands read nothing
        from bot.serving import encoders, quantized

        self._tokenizer = tokens.uncut(folder / "tokenizer.json")
        config, weights = quantized.read(folder)
        self._session = encoders.session(quantized.build_reader(config, merged(weights, adapter)))

    def scores(self, question: str, place: str, text: str) -> Scored:
        """The scores of a text that stands under a title and headings (`place`)."""
        read = encoded(self._tokenizer, question, place, text)
        kinds = [0] * read.asked + [1] * (len(read.ids) - read.asked)
        feed = {"ids": np.array([read.ids], np.int32), "kinds": np.array([kinds], np.int32)}
        scores = self._session.run(None, feed)[0][0]
        starts, ends = (scores[read.first : -1] - scores[0]).T
        return Scored(np.array(read.places).reshape(-1, 2), starts, ends)


def merged(weights: dict[str, Floats], adapter: Path) -> dict[str, Floats]:
    """A BERT's weights with an adapter in peft's form merged in: low-rank changes of its layers (Hu et al. 2021), and
    layers of the adapter's own instead of the model's."""
    changes = {
        name.removeprefix(_PREFIX).removeprefix("bert."): array.astype(np.float32)
        for name, array in load_file(adapter / "adapter_model.safetensors").items()
    }
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    result = dict(weights)
    for name, array in changes.items():
        if name.endswith(".lora_A.weight"):
            layer = name.removesuffix(".lora_A.weight")
            up = changes[f"{layer}.lora_B.weight"]
            result[f"{layer}.weight"] = weights[f"{layer}.weight"] + config["lora_alpha"] / config["r"] * (up @ array)
        elif not name.endswith(".lora_B.weight"):
            result[name] = array
    return result


def shipped(settings: Settings) -> Reader:
    """The reader that ships, made once in a process (about a second). Raises `ModelMissing` where the weights of the
    embedding model that it is made from are not here."""
    return _made(locate(EMBEDDING_MODEL, settings))


@functools.cache
def _made(folder: Path) -> Reader:
    return Reader(folder)
