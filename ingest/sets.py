"""The question set that an evaluation runs on: documents to answer from, questions with known answers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.records import Question
from ingest import questions, sample, scratch
from ingest.readers.reading import Reading

SAMPLE = "sample company"


@dataclass(frozen=True)
class QuestionSet:
    """Documents as (name, reading), and questions about them. `digest` is of the documents' files."""

    name: str
    readings: Sequence[tuple[str, Reading]]
    questions: Sequence[Question]
    digest: str

    @property
    def texts(self) -> list[tuple[str, str, str]]:
        """The documents as (name, title, text)."""
        return [
            (name, reading.title, "\n\n".join(block.text for block in reading.blocks))
            for name, reading in self.readings
        ]

    def asking(self, chosen: Sequence[Question]) -> "QuestionSet":
        """The same documents with other questions."""
        return replace(self, questions=chosen)

    def pins(self) -> dict[str, Any]:
        """What a kept run says of its data: two runs over the same have the same `data`."""
        asked = hashlib.sha256(f"{self.digest} {list(self.questions)!r}".encode()).hexdigest()
        return {"set": self.name, "data": asked[:12], "questions": len(self.questions)}


def load(docs: Path | None, qa: Path | None, limit: int | None = None) -> QuestionSet:
    """The set of these two files, or the sample company where there are none. Raises `SettingsError` where a file
    cannot be read."""
    if docs and qa:
        readings, asked = scratch.from_texts(questions.load_texts(docs)), questions.load_questions(qa)
        return QuestionSet(qa.resolve().parent.name, readings, asked[:limit], _digest([docs]))
    return QuestionSet(SAMPLE, scratch.from_files(sample.paths()), sample.questions()[:limit], _digest(sample.paths()))


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
