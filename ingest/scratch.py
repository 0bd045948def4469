"""A library for one evaluation: its own database, its own collection, gone afterwards. The live one is left alone."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bot import adapters, db, documents, jobs
from bot.desk import Desk
from bot.knowledge import Knowledge
from bot.records import Adapter
from ingest import chunks, sandbox
from ingest.readers.reading import Block, Reading


@contextmanager
def library(
    desk: Desk, readings: Sequence[tuple[str, Reading]], tell: Callable[[str], None] = lambda _: None
) -> Iterator[Desk]:
    """A desk over these documents alone, given as (name, reading). The model and the settings stay the same."""
    knowledge = Knowledge(desk.settings.chroma_url, f"scratch-{secrets.token_hex(6)}", desk.embeddings)
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
        scratch = replace(desk, database=db.connect(f"sqlite:///{folder}/scratch.sqlite"), knowledge=knowledge)
        db.migrate(scratch.database)
        try:
            for number, (name, reading) in enumerate(readings, start=1):
                tell(f"indexing {number} of {len(readings)}")
                _add(scratch, name, reading)
            yield scratch
        finally:
            knowledge.drop()
            scratch.database.dispose()


def introduce(library: Desk, voices: Sequence[Adapter]) -> None:
    """Let versions of the style be asked by name in a scratch library, which has a registry of its own."""
    with db.writing(library.database) as connection:
        for one in voices:
            adapters.register(connection, one.name, one.path, base=one.base, meta={}, report={}, state="candidate")


def from_files(paths: Sequence[Path]) -> list[tuple[str, Reading]]:
    """Files as they would be read from the inbox, named as they are called."""
    return [(path.name, sandbox.read(path)) for path in paths]


def from_texts(texts: Sequence[tuple[str, str, str]]) -> list[tuple[str, Reading]]:
    """(name, title, text) as from `docs.jsonl`."""
    return [(name, Reading(title, (Block("text", text),))) for name, title, text in texts]


def _add(desk: Desk, name: str, reading: Reading) -> None:
    job_id = documents.observe(desk.database, name, name, len(name), 0.0)
    job = jobs.claim(desk.database, job_id) if job_id is not None else None
    if job is None:
        return  # the same name twice
    version_id = int(job.subject)
    pieces = chunks.cut(reading, version_id)
    documents.store(desk.database, version_id, pieces)
    desk.knowledge.upsert(pieces)
    documents.activate(desk.database, job, version_id, reading.title or name, reading.pages, pieces)
