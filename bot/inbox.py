"""The drop folder, as the staff pages use it: save an upload under a safe name, take a file away.

The watcher sees a new file by itself. A removal is also told to the ledger, so that the document is unanswerable at
once, and so that a person who takes away most of the folder on purpose is not halted as if a disk had vanished.
"""

import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

import sqlalchemy as sa

from bot import bell, documents, feedback
from bot.errors import NotAllowed, UnreadableDocument
from bot.records import Chunk
from bot.settings import Settings

SAMPLE_FOLDER = "sample"
LONGEST_NAME = 120


def save(inbox: Path, name: str, content: bytes, max_megabytes: int) -> Path:
    """Put a file into the inbox in one step, so that no half of it is ever read; return its place."""
    if len(content) > max_megabytes * 1_000_000:
        raise UnreadableDocument(f"'{safe_name(name)}' is larger than {max_megabytes} MB; split it and try again.")
    inbox.mkdir(parents=True, exist_ok=True)
    place = inbox / safe_name(name)
    with tempfile.NamedTemporaryFile(dir=inbox, prefix=".upload-", delete=False) as half:
        half.write(content)
    Path(half.name).replace(place)
    return place


def remove(inbox: Path, path: str) -> None:
    """Take a file out of the inbox."""
    place = (inbox / path).resolve()
    if not place.is_relative_to(inbox.resolve()) or not place.is_file():
        raise NotAllowed(f"There is no file '{path}' in the inbox.")
    place.unlink()


def withdraw(settings: Settings, engine: sa.Engine, path: str) -> None:
    """Take a document away: its file, if that is still there, and its place among the answers."""
    known = any(document.path == path for document in documents.listing(engine))
    if not known or (settings.inbox_dir / path).is_file():
        remove(settings.inbox_dir, path)
    job_id = documents.tombstone(engine, path)
    if job_id is not None:
        bell.ring(settings, "forget", job_id)


def remove_sample(settings: Settings, engine: sa.Engine) -> None:
    """Take the sample company away: its folder, its documents' text and its example feedback."""
    shutil.rmtree(settings.inbox_dir / SAMPLE_FOLDER, ignore_errors=True)
    for document in documents.listing(engine):
        if document.path.startswith(f"{SAMPLE_FOLDER}/"):
            withdraw(settings, engine, document.path)
    feedback.forget_sample(engine)


def pieces(engine: sa.Engine, path: str) -> list[Chunk]:
    """The chunks of a document's active version, in reading order; none where it has no active version."""
    version_id = documents.active_version(engine, path)
    return [] if version_id is None else documents.chunks_of(engine, version_id)


def safe_name(name: str) -> str:
    """A file name without folders, control characters or tricks of writing direction."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    stem, dot, suffix = plain.strip(" .").rpartition(".")
    return f"{stem[:LONGEST_NAME] or 'document'}{dot}{suffix[:10]}" if dot else plain[:LONGEST_NAME] or "document"
