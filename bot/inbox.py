"""The drop folder, as the staff pages use it: save an upload under a safe name, take a file away.

The watcher sees a new file by itself. A removal is also told to the ledger, so that the document is unanswerable at
once, and so that a person who takes away most of the folder on purpose is not halted as if a disk had vanished.
"""

import re
import secrets
import shutil
import unicodedata
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import sqlalchemy as sa

from bot import bell, documents, feedback, ledger, notices
from bot.errors import NotAllowed, UnreadableDocument
from bot.records import Chunk
from bot.settings import Settings

SAMPLE_FOLDER = "sample"
META = ".meta.yaml"  # what is said about the documents of a folder, or after a file's name about that file
LONGEST_NAME = 150  # bytes


def save(inbox: Path, name: str, content: bytes | Path, max_megabytes: int) -> Path:
    """Put a file, given as its content or its place, into the inbox in one step, so that no half of it is ever read;
    return its new place. `name` may name folders; each part of it is made safe.

    Raises `UnreadableDocument` where it is too large or cannot be put there.
    """
    parts = [safe_name(part) for part in PurePosixPath(name).parts if part.strip("./")]
    place = inbox.joinpath(*parts or [safe_name(name)])
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size > max_megabytes * 1_000_000:
        raise UnreadableDocument(f"'{place.name}' is larger than {max_megabytes} MB; split it and try again.")
    half = inbox / f".upload-{secrets.token_hex(8)}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, half)
        else:
            half.write_bytes(content)
        half.replace(place)
    except OSError as error:  # the disk is full, or a folder has the file's name, or a file has the folder's
        raise UnreadableDocument(f"'{place.name}' cannot be put into the inbox ({error.strerror}).") from error
    finally:
        half.unlink(missing_ok=True)
    return place


def remove(inbox: Path, path: str) -> None:
    """Take a file out of the inbox, and what a `.meta.yaml` said of it."""
    place = (inbox / path).resolve()
    if not place.is_relative_to(inbox.resolve()) or not place.is_file():
        raise NotAllowed(f"There is no file '{path}' in the inbox.")
    place.unlink()
    place.with_name(f"{place.name}{META}").unlink(missing_ok=True)


def withdraw(settings: Settings, engine: sa.Engine, path: str) -> None:
    """Take a document away: its file, if that is still there, and its place among the answers."""
    known = path in documents.paths(engine, path)
    if not known or (settings.inbox_dir / path).is_file():
        remove(settings.inbox_dir, path)
    bell.ring(settings, ledger.tombstone(engine, [path]))


def missing(settings: Settings, engine: sa.Engine) -> list[str]:
    """The documents whose files are not in the folder."""
    return [path for path in documents.paths(engine) if not (settings.inbox_dir / path).is_file()]


def withdraw_missing(settings: Settings, engine: sa.Engine, confirmed: Collection[str]) -> int:
    """End a halted mass deletion: of the documents that a person has confirmed, those whose files are still missing
    stop answering. Returns how many they were. Raises `NotAllowed` where the folder itself is missing."""
    if not settings.inbox_dir.is_dir():
        raise NotAllowed(f"The folder {settings.inbox_dir} is missing as a whole; bring it back, then try again.")
    gone = sorted(set(confirmed) & set(missing(settings, engine)))
    bell.ring(settings, ledger.tombstone(engine, gone))
    notices.clear(engine, notices.MASS_DELETION)
    return len(gone)


def retry(settings: Settings, engine: sa.Engine, path: str) -> None:
    """Try a document again. Raises `NotAllowed` where there is none of that name."""
    documents.find(engine, path)
    bell.ring(settings, [ledger.requeue(engine, path)])


def remove_sample(settings: Settings, engine: sa.Engine) -> None:
    """Take the sample company away: its folder, its documents' text and its example feedback."""
    # before the files go, so that the watcher does not take it for an accident
    lanes = ledger.tombstone(engine, documents.paths(engine, SAMPLE_FOLDER))
    shutil.rmtree(settings.inbox_dir / SAMPLE_FOLDER, ignore_errors=True)
    bell.ring(settings, lanes)
    feedback.forget_sample(engine)


def pieces(engine: sa.Engine, path: str) -> list[Chunk]:
    """The chunks of a document's active version, in reading order; none where it has no active version."""
    version_id = documents.active_version(engine, path)
    return [] if version_id is None else documents.chunks_of(engine, version_id)


def safe_name(name: str) -> str:
    """A file name without folders, control characters or tricks of writing direction."""
    last = re.split(r"[/\\]", name)[-1]
    if last == META:
        return META
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return f"{_shortened(stem)}{dot}{suffix[:10]}" if dot else _shortened(plain)


def _shortened(stem: str) -> str:
    # a file system counts bytes, and may cut one character in two
    return stem.encode()[:LONGEST_NAME].decode(errors="ignore") or "document"
