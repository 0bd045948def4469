"""Question sets: `qa.jsonl` and `docs.jsonl`, as evaluation reads them."""

import json
from pathlib import Path
from typing import Any

from bot.errors import SettingsError
from bot.records import Question, Turn


def load_questions(place: Path) -> list[Question]:
    """Read `{id, question, answers[], doc_ids[], answerable, history?: [{role, text}], scope_title?}`, one a line.

    A turn may also be told as `{speaker, text}`, the customer being "U". `scope_title` names what a question leaves to
    where it is asked ("this website"), so it is put into the question.
    """
    return [
        Question(
            question_id=str(row["id"]),
            text=f"{row['question']} ({row['scope_title']})" if row.get("scope_title") else row["question"],
            answers=tuple(row.get("answers", ())),
            documents=tuple(row.get("doc_ids", ())),
            answerable=bool(row["answerable"]),
            history=tuple(_turn(turn) for turn in row.get("history", ())),
        )
        for row in _lines(place, "id", "question", "answerable")
    ]


def _turn(turn: dict[str, str]) -> Turn:
    if "role" in turn:
        return Turn("user" if turn["role"] == "user" else "assistant", turn["text"])
    return Turn("user" if turn["speaker"].upper().startswith("U") else "assistant", turn["text"])


def load_texts(place: Path) -> list[tuple[str, str, str]]:
    """Read `{doc_id, title, text}`, one a line, as tuples."""
    rows = _lines(place, "doc_id", "text")
    return [(str(row["doc_id"]), str(row.get("title", "")), str(row["text"])) for row in rows]


def _lines(place: Path, *needed: str) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, json.JSONDecodeError) as error:
        raise SettingsError(f"The question set '{place}' cannot be read: {error}.") from error
    for number, row in enumerate(rows, start=1):
        missing = [name for name in needed if name not in row]
        if missing:
            raise SettingsError(f"Line {number} of '{place}' lacks '{missing[0]}'; add it and run again.")
    return rows
