"""Approved rows as JSONL, out and in, so that any other trainer can use them, and rows that were reviewed elsewhere
can be learned from here.

Three shapes, as trl and its like read them: chat messages; instruction, input and response (Alpaca); and pairs of a
preferred and another answer to the same prompt. Every line also says under "frontdesk" what this program needs to judge
the row again: question, passages, original. A line without that needs "passages", for nothing trains that no passage
supports.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from bot import feedback
from bot.desk import Desk
from bot.errors import TrainingRefused
from bot.records import Feedback, Passage
from workers.style.lessons import Lesson, fit_rows, lesson

Shape = Literal["chat", "alpaca", "preferences"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
LONGEST_TEXT = 20_000  # characters of a field that comes in


@dataclass(frozen=True)
class Reviewed:
    """A row that comes in: what was asked, what was said, what should be said, and what that stands on."""

    question: str
    original: str
    rewrite: str
    passages: tuple[Passage, ...]

    @property
    def key(self) -> str:
        """The same row has the same key, so that it comes in once."""
        content = [self.question, [passage.text for passage in self.passages], self.rewrite]
        return f"import-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]}"


def export(desk: Desk, place: Path, shape: Shape) -> int:
    """Write the rows that are fit to learn from, redacted, and return how many. Of rows that were approved as they were
    there is no pair."""
    rows = fit_rows(desk).kept
    if shape == "preferences":
        rows = tuple(row for row in rows if row.rewrite.strip() != row.answer.strip())
    lines = (json.dumps(_WRITTEN[shape](row, lesson(desk, row)), ensure_ascii=False) for row in rows)
    place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(rows)


def bring_in(engine: sa.Engine, place: Path, reviewer: str) -> int:
    """Add the rows of a file to the queue as approved by `reviewer`, each once, and return how many there are. They are
    judged like any other before they train. Raises `TrainingRefused` naming the line, and adds nothing then."""
    rows = list(read(place))
    for row in rows:
        feedback.add_approved(engine, row.key, row.question, row.original, row.passages, row.rewrite, reviewer)
    return len(rows)


def read(place: Path) -> Iterator[Reviewed]:
    """The rows of a file of any of the three shapes."""
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingRefused(f"The rows in '{place}' cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _parsed(line, f"Line {number} of '{place}'")


def _chat(row: Feedback, taught: Lesson) -> dict[str, Any]:
    answer = {"role": "assistant", "content": taught.answer}
    return {"messages": [*taught.messages, answer], "frontdesk": _own(row)}


def _alpaca(row: Feedback, taught: Lesson) -> dict[str, Any]:
    *system, asked = taught.messages
    instruction = "\n\n".join(message["content"] for message in system)
    return {"instruction": instruction, "input": asked["content"], "output": taught.answer, "frontdesk": _own(row)}


def _preferences(row: Feedback, taught: Lesson) -> dict[str, Any]:
    return {
        "prompt": list(taught.messages),
        "chosen": [{"role": "assistant", "content": taught.answer}],
        "rejected": [{"role": "assistant", "content": row.answer}],
        "frontdesk": _own(row),
    }


_WRITTEN: dict[Shape, Callable[[Feedback, Lesson], dict[str, Any]]] = {
    "chat": _chat,
    "alpaca": _alpaca,
    "preferences": _preferences,
}


def _own(row: Feedback) -> dict[str, Any]:
    passages = [asdict(passage) for passage in row.evidence]
    return {"question": row.question, "passages": passages, "original": row.answer, "rewrite": row.rewrite}


def _parsed(line: str, where: str) -> Reviewed:
    try:
        row = json.loads(line)
        own = row.get("frontdesk") or {}
        question = own.get("question") or _question(row)
        rewrite = own.get("rewrite") or _rewrite(row)
        original = own.get("original") or _rejected(row) or rewrite
        passages = tuple(_passages(own.get("passages") or row.get("passages") or []))
    except (json.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise TrainingRefused(
            f"{where} is no row of chat messages, of instruction, input and output, or of a pair ({error!r})."
        ) from error
    texts = [question, rewrite, original, *(passage.text for passage in passages)]
    if not all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in texts):
        raise TrainingRefused(f"{where} holds something else than texts of up to {LONGEST_TEXT} characters.")
    return Reviewed(question, original, rewrite, passages)


def _question(row: dict[str, Any]) -> Any:
    if "instruction" in row:
        return row.get("input") or row["instruction"]
    turns = row.get("messages") or row["prompt"]
    if isinstance(turns, str):
        return turns
    return _last(turns, "user")


def _rewrite(row: dict[str, Any]) -> Any:
    if "output" in row or "response" in row:
        return row.get("output") or row["response"]
    return _text(row["chosen"]) if "chosen" in row else _last(row["messages"], "assistant")


def _rejected(row: dict[str, Any]) -> Any:
    return _text(row["rejected"]) if "rejected" in row else ""


def _text(said: Any) -> Any:
    return said if isinstance(said, str) else _last(said, "assistant")


def _last(turns: Sequence[dict[str, Any]], role: str) -> Any:
    return [turn["content"] for turn in turns if turn["role"] == role][-1]


def _passages(given: Iterable[Any]) -> Iterator[Passage]:
    """Passages of ours as they are; of others the texts."""
    for number, one in enumerate(given):
        if isinstance(one, str):
            name = hashlib.sha256(one.encode()).hexdigest()[:16]
            yield Passage(f"import-{name}", 0, f"passage {number + 1}", "", "", None, one, 0.0)
        else:
            yield Passage(**one)
