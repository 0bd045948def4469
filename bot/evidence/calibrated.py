"""The figures that confidence is computed with (`confidence.json`): two small logistic models, the threshold below
which a consultation abstains, and the curve along which an operator may move it.

They are fitted by `python -m ingest.calibrating --data DIR` and are plain numbers: every weight is at least zero, so a
sign that speaks for an answer never lowers the confidence. Runtime needs no scikit-learn.
"""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("confidence.json")


@dataclass(frozen=True)
class Model:
    """A logistic regression: the probability is the logistic function of the bias and the weighted features."""

    bias: float
    weights: Mapping[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """0..1; a feature that is missing counts zero."""
        return logistic(self.bias + sum(weight * features.get(name, 0.0) for name, weight in self.weights.items()))


@dataclass(frozen=True)
class Rates:
    """What a threshold does to a set: the share of its answerable questions that are answered (`coverage`), and the
    share of its unanswerable ones that are answered, too (`risk`)."""

    coverage: float
    risk: float


@dataclass(frozen=True)
class Point:
    """A place of the slider: `coverage` and `risk` are the means over the sets that the models were fitted on, whose
    own rates `sets` gives; all by cross-validation, so of documents that the model had not seen."""

    threshold: float
    coverage: float
    risk: float
    sets: Mapping[str, Rates]


@dataclass(frozen=True)
class Calibration:
    """Everything in the file. `made_with` says from what: sets, sizes, embedding model, passages a question."""

    made_with: Mapping[str, Any]
    before: Model
    after: Model
    threshold: float
    curve: tuple[Point, ...]


def load(place: Path = PLACE) -> Calibration:
    """Read a file as `save` writes it."""
    values = json.loads(place.read_text(encoding="utf-8"))
    points = [
        Point(
            row["threshold"], row["coverage"], row["risk"], {name: Rates(*pair) for name, pair in row["sets"].items()}
        )
        for row in values["curve"]
    ]
    before, after = Model(**values["before"]), Model(**values["after"])
    return Calibration(values["made_with"], before, after, values["threshold"], tuple(points))


def save(calibration: Calibration, place: Path = PLACE) -> None:
    """Write the file so that a person can read it: a weight a line, a point of the curve a line."""
    values = asdict(calibration)
    for row in values["curve"]:
        row["sets"] = {name: [rates["coverage"], rates["risk"]] for name, rates in row["sets"].items()}
    points = ",\n    ".join(json.dumps(row) for row in values.pop("curve"))
    text = json.dumps(values, indent=2).removesuffix("\n}") + f',\n  "curve": [\n    {points}\n  ]\n}}\n'
    place.write_text(text, encoding="utf-8")


@functools.cache
def shipped() -> Calibration:
    """What ships with the product, read once."""
    return load()


def logistic(value: float) -> float:
    """From any number to 0..1."""
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, value))))


def log_odds(probability: float) -> float:
    """The other way; certainty is held to one in ten thousand."""
    held = max(1e-4, min(1 - 1e-4, probability))
    return math.log(held / (1 - held))
