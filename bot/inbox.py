"""The drop folder, as the staff pages use it: save an upload under a safe name, take a file away.

The watcher sees what happens here; nothing else needs to be told.
"""

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from bot.errors import NotAllowed, UnreadableDocument

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
    os.replace(half.name, place)
    return place


def remove(inbox: Path, path: str) -> None:
    """Take a file out of the inbox."""
    place = (inbox / path).resolve()
    if not place.is_relative_to(inbox.resolve()) or not place.is_file():
        raise NotAllowed(f"There is no file '{path}' in the inbox.")
    place.unlink()


def safe_name(name: str) -> str:
    """A file name without folders, control characters or tricks of writing direction."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    stem, dot, suffix = plain.strip(" .").rpartition(".")
    return f"{stem[:LONGEST_NAME] or 'document'}{dot}{suffix[:10]}" if dot else plain[:LONGEST_NAME] or "document"
