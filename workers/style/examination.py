"""The examination: the sample company's questions, asked in several voices of the running model server.

It takes place in a scratch library, so that the live documents do not matter, and in a scratch registry, so that a
candidate can be asked by name.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from bot.desk import Desk
from bot.quality.answers import AnswerReport, evaluate
from bot.records import Adapter, Question
from ingest import sample, scratch

TOGETHER = 4  # questions at a time: twice as fast as one by one on two cores, and all that is let in behind customers

Ask = Callable[[str], AnswerReport]
Tell = Callable[[dict[str, Any]], None]
Examine = Callable[[Desk, Sequence[Adapter], Sequence[Question], Tell], AbstractContextManager[Ask]]


@contextmanager
def examination(desk: Desk, voices: Sequence[Adapter], questions: Sequence[Question], tell: Tell) -> Iterator[Ask]:
    """A function that asks all questions in one of the voices, by its name ("" for the base model)."""
    steps = len(questions) * 2  # the version that speaks now, and the candidate
    asked = itertools.count(1)

    def show(_: str) -> None:
        tell({"stage": "checking", "step": next(asked), "steps": steps})

    with scratch.library(replace(desk, background=True), scratch.from_files(sample.paths())) as library:
        scratch.introduce(library, voices)
        yield lambda voice: evaluate(library, questions, voice, show, TOGETHER)
