"""What a training will need of memory, before it is started: weights, gradients, the optimizer's moments, activations;
an adapter beside full fine-tuning. A run that does not fit is refused, with the figures.

Weights and moments are counted from the files, activations estimated: what a decoder layer keeps of every token for the
way back, and the logits of the answers. LOG.md has the estimate beside what was measured.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bot.errors import TrainingRefused
from workers.style.lessons import Lesson
from workers.style.recipe import CHARACTERS_PER_TOKEN, SOFT_PROMPTS, Recipe

FLOAT = 4  # bytes; gradients and AdamW's two moments are kept in float32
MOMENTS = 2
# Floats a token that a layer keeps: eight of the hidden size (two norms, their inputs, queries, attention's result, the
# two outputs), keys and values with their rotations, four of the intermediate size (gate, its activation, up, product).
HIDDEN_KEPT, KEYS_KEPT, INTERMEDIATE_KEPT = 8, 4, 4
SCORES_KEPT = 2  # floats a token, head and token that it looks at, where attention is written out, as on a CPU
LOGITS_KEPT = 3  # as the model gives them, in float32, and their gradient
HEADROOM = 0.9  # of the memory that is free
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Need:
    """Bytes of one way to train. `directions` are those that an adapter is kept away from."""

    trainable: int
    weights: int
    gradients: int
    moments: int
    activations: int
    directions: int = 0

    @property
    def total(self) -> int:
        """All of it at once."""
        return self.weights + self.gradients + self.moments + self.activations + self.directions


@dataclass(frozen=True)
class MemoryPlan:
    """What the adapter needs, what learning every weight would need, and what is free (None where nobody says)."""

    adapter: Need
    full: Need
    free: int | None

    @property
    def fits(self) -> bool:
        """Whether the adapter can be trained here."""
        return self.free is None or self.adapter.total <= HEADROOM * self.free

    def figures(self) -> dict[str, Any]:
        """Bytes, as scripts read them."""
        ways = {"adapter": self.adapter, "full": self.full}
        return {
            **{name: {**asdict(need), "total": need.total} for name, need in ways.items()},
            "free": self.free,
            "fits": self.fits,
        }


def plan(folder: Path, recipe: Recipe, lessons: Sequence[Lesson], *, half: bool, free: int | None) -> MemoryPlan:
    """The plan for a model's folder and these lessons; with `half`, weights and activations take two bytes a number."""
    shapes = _shapes(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    parameters = sum(rows * columns for rows, columns in shapes.values())
    added = _learned(shapes, int(config["hidden_size"]), recipe)
    size = 2 if half else FLOAT
    activations = _activations(config, recipe, lessons, size)
    return MemoryPlan(
        adapter=replace(_need(parameters, added, activations, size), directions=_directions(shapes, recipe)),
        full=_need(parameters, parameters, activations, size),
        free=free,
    )


def check(found: MemoryPlan) -> None:
    """Raise `TrainingRefused` with the figures where the adapter cannot be trained here."""
    if not found.fits and found.free is not None:
        raise TrainingRefused(
            f"The training needs about {gigabytes(found.adapter.total)} of memory, {gigabytes(found.free)} are free "
            f"({in_words(found.adapter)}); stop what else runs here, or choose a smaller FRONTDESK_MODEL or "
            "FRONTDESK_TRAIN_RANK."
        )


def free_bytes() -> int | None:
    """The memory that is free on this machine's processor."""
    if not _MEMINFO.is_file():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="utf-8").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def in_words(need: Need) -> str:
    """What the memory goes to."""
    return (
        f"weights {gigabytes(need.weights)}, gradients {gigabytes(need.gradients)}, the optimizer's moments "
        f"{gigabytes(need.moments)}, activations {gigabytes(need.activations)}, what is to stay as it is "
        f"{gigabytes(need.directions)}"
    )


def gigabytes(count: int) -> str:
    """`1.25 GB`."""
    return f"{count / 1e9:.2f} GB"


def _need(parameters: int, trainable: int, activations: int, size: int) -> Need:
    beside = trainable if trainable != parameters else 0  # an adapter's weights come on top of the base's
    moments = MOMENTS * trainable * FLOAT
    return Need(trainable, parameters * size + beside * FLOAT, trainable * FLOAT, moments, activations)


def _learned(shapes: Mapping[str, tuple[int, int]], hidden: int, recipe: Recipe) -> int:
    """How many numbers are learned."""
    if recipe.method in SOFT_PROMPTS:
        encoder = 3 * (hidden + 1) * hidden if recipe.method == "p-tuning" else 0  # three square layers with biases
        return recipe.virtual_tokens * hidden + encoder
    return sum(_added(rows, columns, recipe) for name, (rows, columns) in shapes.items() if _is_adapted(name, rows))


def _added(rows: int, columns: int, recipe: Recipe) -> int:
    magnitude = rows if recipe.method == "dora" else 0
    return recipe.rank * (rows + columns) + magnitude


def _directions(shapes: Mapping[str, tuple[int, int]], recipe: Recipe) -> int:
    """Of every adapted layer; those that read the same share theirs, so it is a little less."""
    adapted = [columns for name, (rows, columns) in shapes.items() if _is_adapted(name, rows)]
    return sum(FLOAT * columns * recipe.still(columns) for columns in adapted)


def _is_adapted(name: str, rows: int) -> bool:
    """Whether LoRA adapts a tensor: every linear layer, but neither embedding nor head; a norm has one row."""
    return rows > 1 and "embed" not in name and "lm_head" not in name


def _activations(config: dict[str, Any], recipe: Recipe, lessons: Sequence[Lesson], size: int) -> int:
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads = int(config["num_attention_heads"])
    keys = hidden * int(config.get("num_key_value_heads") or heads) // heads
    longest = max((_characters(one) for one in lessons), default=0) / CHARACTERS_PER_TOKEN + recipe.virtual_tokens
    scores = SCORES_KEPT * heads * longest if size == FLOAT else 0
    kept = HIDDEN_KEPT * hidden + KEYS_KEPT * keys + INTERMEDIATE_KEPT * inner + scores
    answer = max((len(one.answer) for one in lessons), default=0) / CHARACTERS_PER_TOKEN
    layers = int(config["num_hidden_layers"]) * recipe.rows_per_batch * longest * kept * size
    logits = LOGITS_KEPT * recipe.rows_per_batch * (answer + 2) * int(config["vocab_size"]) * FLOAT
    return round((layers + logits) * (2 if recipe.preference_epochs else 1))  # both answers of a pair at once


def _characters(lesson: Lesson) -> int:
    return len(lesson.answer) + sum(len(message["content"]) for message in lesson.messages)


def _shapes(folder: Path) -> dict[str, tuple[int, int]]:
    """Rows and columns of every tensor, from the headers of the files: eight bytes of length, then JSON."""
    found: dict[str, tuple[int, int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                *rows, columns = tensor["shape"] or [1]
                found[name] = (rows[0] if rows else 1, columns)
    return found
