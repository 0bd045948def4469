"""A library for one evaluation: its own database, its own collection, gone afterwards. The live one is left alone."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bot import adapters, db, indexes, ledger
from bot.desk import Desk
from bot.records import Adapter, Sighting
from ingest import pipeline, sandbox
from ingest.readers.reading import Block, Reading

TOGETHER = 50


@contextmanager
def library(
    desk: Desk, readings: Sequence[tuple[str, Reading]], tell: Callable[[str], None] = lambda _: None
) -> Iterator[Desk]:
    """A desk over these documents alone, given as (name, reading). The model, the settings and what the staff have set
    (preferences, prompts) stay the same."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
        settings = desk.settings.model_copy(update={"collection": f"scratch-{secrets.token_hex(6)}"})
        scratch = replace(desk, settings=settings, database=db.connect(f"sqlite:///{folder}/scratch.sqlite"))
        db.migrate(scratch.database)
        indexes.ensure(scratch.database, settings)
        _bring_along(desk, scratch)
        try:
            for start in range(0, len(readings), TOGETHER):
                tell(f"indexing {start + 1} to {min(start + TOGETHER, len(readings))} of {len(readings)}")
                _add(scratch, readings[start : start + TOGETHER])
            yield scratch
        finally:
            scratch.knowledge.drop()
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


def _bring_along(desk: Desk, library: Desk) -> None:
    for table in (db.preferences, db.prompts):
        rows = [dict(row._mapping) for row in db.rows(desk.database, sa.select(table))]
        if rows:
            with db.writing(library.database) as connection:
                connection.execute(sa.insert(table), rows)


def _add(desk: Desk, readings: Sequence[tuple[str, Reading]]) -> None:
    named = dict(readings)  # the same name twice is one document
    ledger.observe(desk.database, [Sighting(name, name, 0, 0.0) for name in named])
    pipeline.ingest_readings(desk, named)
