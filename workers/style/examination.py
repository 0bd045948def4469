"""The examination: the sample company's questions, asked in several voices of the running model server.

It takes place in a scratch library, so that the live documents do not matter, and in a scratch registry, so that a
candidate can be asked by name.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bot.desk import Desk
from bot.quality.answers import AnswerReport, side_by_side
from bot.records import Adapter, Question
from ingest import sample, scratch

TOGETHER = 4  # answers at a time: twice as fast as one by one on two cores, and all that is let in behind customers

Tell = Callable[[dict[str, Any]], None]
Examine = Callable[[Desk, Sequence[Adapter | None], Sequence[Question], Tell], Sequence[AnswerReport]]


def examination(
    desk: Desk, voices: Sequence[Adapter | None], questions: Sequence[Question], tell: Tell
) -> Sequence[AnswerReport]:
    """What is measured of each voice (None: the base model) when all questions are asked."""
    steps = len(questions) * len(voices)
    asked = itertools.count(1)

    def show(_: str) -> None:
        tell({"stage": "checking", "step": next(asked), "steps": steps})

    with scratch.library(replace(desk, background=True), scratch.from_files(sample.paths())) as library:
        scratch.introduce(library, [voice for voice in voices if voice])
        return side_by_side(library, questions, [voice.name if voice else "" for voice in voices], show, TOGETHER)
