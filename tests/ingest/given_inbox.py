"""What the tests of the ingest start from: files dropped, and all waiting work done as the workers would do it."""

from pathlib import Path

from bot import jobs, retrieve
from bot.desk import Desk
from ingest import pipeline, watch
from workers import running

FUNCTIONS = {"ingest": pipeline.ingest, "forget": pipeline.forget}
FERRY = "# Ferries\n\nThe ferry to Quill Island leaves at 7:45 from the north pier.\n"


def drop(desk: Desk, name: str, text: str) -> Path:
    """Write a file into the inbox."""
    place = desk.settings.inbox_dir / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def work_off(desk: Desk) -> None:
    """Do every waiting job once, as the workers would."""
    for lane in (jobs.FAST, jobs.BULK):
        for _ in range(jobs.count_by_state(desk.database).get("queued", 0)):
            running.work(lane, FUNCTIONS, desk)


def take_in(desk: Desk, **files: str) -> None:
    """Drop Markdown files, named without their ending, and index them."""
    for name, text in files.items():
        drop(desk, f"{name}.md", text)
    watch.rescan(desk)
    work_off(desk)


def found(desk: Desk, question: str, collection: str = "") -> str:
    """The texts that a search brings up."""
    return " ".join(passage.text for passage in retrieve.search(desk, question, 5, collection=collection))
