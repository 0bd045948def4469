"""Zip archives, and the documents that are zip archives inside. Nothing is ever extracted to a file."""

import io
import zipfile

from bot.errors import UnreadableDocument
from ingest.readers.reading import Parcel, Reading

MOST_RATIO = 100
MOST_BYTES = 200_000_000
MOST_ENTRIES = 2_000
# A short file of one repeated letter is no bomb, however well it is packed.
HARMLESS_BYTES = 1_000_000
JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def opened(content: bytes, name: str) -> zipfile.ZipFile:
    """The archive, once it is known to unpack into something reasonable."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UnreadableDocument(f"'{name}' is damaged; save or download it again.") from error
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise locked(name)
    if len(entries) > MOST_ENTRIES:
        raise UnreadableDocument(f"'{name}' holds more than {MOST_ENTRIES:,} files; split it.")
    whole = sum(entry.file_size for entry in entries)
    ratio = max(
        (entry.file_size / max(entry.compress_size, 1) for entry in entries if entry.file_size > HARMLESS_BYTES),
        default=0,
    )
    if whole > MOST_BYTES or ratio > MOST_RATIO or whole > max(MOST_RATIO * len(content), HARMLESS_BYTES):
        raise UnreadableDocument(f"'{name}' unpacks to far more than its size and was not opened, for safety.")
    return archive


def locked(name: str) -> UnreadableDocument:
    """The refusal of a file that only opens with a password."""
    return UnreadableDocument(f"'{name}' is protected by a password; save it without one.")


def member(archive: zipfile.ZipFile, path: str, name: str) -> bytes:
    """The content of one entry, which may not be longer than the archive said."""
    try:
        with archive.open(path) as file:
            return file.read(MOST_BYTES)
    except KeyError as error:
        raise UnreadableDocument(f"'{name}' is damaged: '{path}' is missing from it; save it again.") from error
    except Exception as error:
        raise UnreadableDocument(f"'{name}' is damaged; save or download it again.") from error


def read_zip(content: bytes, name: str) -> Parcel:
    """An archive of documents, each read as if it lay there by itself."""
    archive = opened(content, name)
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not any(j in entry.filename for j in JUNK)]
    return Parcel(Reading("", ()), tuple((entry.filename, member(archive, entry.filename, name)) for entry in files))
