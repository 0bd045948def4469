"""How fast a style is learned: training tokens per second on the sample rewrites, with the small model.

`make bench` runs this with the other benchmarks; alone: `python -m tests.benchmarks.training`.
"""

import tempfile
from pathlib import Path
from typing import Any

from bot import feedback
from bot.desk import open_desk
from bot.settings import Settings, load_settings
from ingest import sample
from workers.style.curate import curate
from workers.style.lessons import lesson
from workers.style.splitting import split
from workers.style.train import train


def main() -> None:
    """Train one epoch on the sample rewrites and print the figures."""
    place = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        settings = place.model_copy(update={"data_dir": Path(folder), "models_dir": place.models, "train_epochs": 1})
        meta = measure(settings)
    print(
        f"training: {meta['tokens_per_second']:.0f} tokens/s on {meta['device']}, {meta['rows']['train']} rows, "
        f"{meta['tokens']} tokens, {meta['seconds']:.0f} s with loading and two examinations; held-out loss "
        f"{meta['held_out_before']:.3f} -> {meta['held_out_after']:.3f}"
    )


def measure(settings: Settings) -> dict[str, Any]:
    """Train in the settings' data folder and return what `meta.json` says."""
    desk = open_desk(settings)
    sample.add_rewrites(desk)
    parts = split(curate(feedback.trainable(desk.database)).kept)
    learn, dev, test = ([lesson(desk, row) for row in part] for part in parts)
    return train(settings, "style-v1", learn, dev, tell=lambda _: None, test=test).meta


if __name__ == "__main__":
    main()
