"""The sample company: documents to answer from, questions to measure with, rewrites to learn a style from."""

import json
import shutil
from pathlib import Path

from bot import documents, feedback
from bot.desk import Desk
from bot.inbox import SAMPLE_FOLDER
from bot.records import Passage, Question
from ingest import folder
from ingest.questions import load_questions

FOLDER = Path(__file__).parent
REVIEWER = "sample company"


def paths() -> list[Path]:
    """The sample documents."""
    return sorted((FOLDER / "documents").iterdir())


def questions() -> list[Question]:
    """The sample questions, a third of them not answerable from the documents."""
    return load_questions(FOLDER / "qa.jsonl")


def install(desk: Desk) -> bool:
    """Load the sample company if nothing was ever dropped here; return whether it was loaded."""
    inbox = desk.settings.inbox_dir
    if any(folder.documents_in(inbox)) or documents.any_ever(desk.database):
        return False
    shutil.copytree(FOLDER / "documents", inbox / SAMPLE_FOLDER, dirs_exist_ok=True)
    add_rewrites(desk)
    return True


def add_rewrites(desk: Desk) -> None:
    """Put the sample's approved rewrites into the feedback queue, once."""
    for line in (FOLDER / "rewrites.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        title = row["document"].rpartition(".")[0].replace("-", " ").capitalize()
        passage = Passage(f"sample-{row['id']}", 0, row["document"], title, "", None, row["evidence"], 0.0)
        key = f"sample-{row['id']}"
        feedback.add_approved(desk.database, key, row["question"], row["original"], [passage], row["rewrite"], REVIEWER)
