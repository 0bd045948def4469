"""What a file says: one reader a kind, each of which turns content into a `Reading`. Readers run in the sandbox."""

from pathlib import Path

from ingest.readers.reading import Reading


def read(path: Path) -> Reading:
    """Read a file of any supported kind. Raises `UnreadableDocument` with one sentence for the content owner."""
    from ingest.readers import contents, hidden  # only here, so that a process that reads nothing loads no parser

    _, reading = contents.read_content(path.read_bytes(), hidden.shown(path.name))
    return reading
