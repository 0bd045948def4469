"""What a run shows of itself while it goes on: the stage that it is in, and what stays to be seen in later stages."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot import jobs
from bot.records import Job
from workers.style.examination import Tell

STAYS = ("rows", "curve")  # but no samples: they hold a customer's words, and the gate has better ones
MOST_POINTS = 300


def teller(engine: sa.Engine, job: Job) -> Tell:
    """A function that shows progress on the job's row. It raises `LeaseLost` when the run was stopped or taken over."""
    shown: dict[str, Any] = {}

    def tell(progress: dict[str, Any]) -> None:
        shown.update({name: progress[name] for name in STAYS if name in progress})
        jobs.report(engine, job, shown | progress)

    return tell


def drawn(curve: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """A curve short enough to be shown at every step: each held-out loss, and every n-th one of training."""
    nth = 1 + len(curve) // MOST_POINTS
    return [point for place, point in enumerate(curve) if "held_out" in point or place % nth == 0]
