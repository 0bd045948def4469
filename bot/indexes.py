"""The ways in which the documents are cut and embedded. One index answers; when the embedding model or the chunking
changes, another is built beside it, and takes its place in one transaction when it is whole.

Each index has a Chroma collection of its own. This module knows nothing of chunks or vectors.
"""

import sqlalchemy as sa

from bot import db
from bot.records import Index
from bot.settings import Settings

# Raise it when the same settings cut differently than before: every installation then rebuilds its index by itself.
CUT = 2

_columns = [db.indexes.c[name] for name in ("index_id", "collection", "embedding_model", "chunking", "state")]


def chunking(settings: Settings) -> str:
    """How documents are cut, as one word."""
    return f"tokens-{settings.chunk_tokens}-{CUT}"


def live(engine: sa.Engine) -> Index:
    """The index that answers."""
    row = db.one(engine, sa.select(*_columns).where(db.indexes.c.state == "live"))
    assert row is not None  # `ensure` made one when the desk was opened
    return Index(*row)


def building(engine: sa.Engine) -> Index | None:
    """The index that is being built, if one is."""
    row = db.one(engine, sa.select(*_columns).where(db.indexes.c.state == "building"))
    return Index(*row) if row else None


def every(engine: sa.Engine) -> list[Index]:
    """All indexes whose collections may still exist."""
    chosen = sa.select(*_columns).where(db.indexes.c.state != "dropped")
    return [Index(*row) for row in db.rows(engine, chosen.order_by(db.indexes.c.index_id))]


def in_use(engine: sa.Engine) -> list[Index]:
    """The index that answers and the one that is being built."""
    return [index for index in every(engine) if index.state != "retired"]


def open_ids(connection: sa.Connection) -> list[int]:
    """The ids of the indexes that a new version of a document is made for: the live one first."""
    chosen = sa.select(db.indexes.c.index_id).where(db.indexes.c.state.in_(("live", "building")))
    return list(connection.execute(chosen.order_by(db.indexes.c.state.desc())).scalars())


def ensure(engine: sa.Engine, settings: Settings) -> None:
    """Make the first index where there is none."""
    with db.writing(engine) as connection:
        if connection.scalar(sa.select(db.indexes.c.index_id).limit(1)) is None:
            _add(connection, settings.collection, settings, "live")


def fits(index: Index, settings: Settings) -> bool:
    """Whether an index is what the settings ask for."""
    return (index.embedding_model, index.chunking) == (settings.embedding_model, chunking(settings))


def begin(connection: sa.Connection, settings: Settings) -> int:
    """Start a new index for these settings and return its id."""
    index_id = _add(connection, f"{settings.collection}-new", settings, "building")
    # named after its id, so that no collection is ever used twice
    chosen = sa.update(db.indexes).where(db.indexes.c.index_id == index_id)
    connection.execute(chosen.values(collection=f"{settings.collection}-{index_id}"))
    return index_id


def give_up(connection: sa.Connection) -> None:
    """Stop building."""
    _retire(connection, "building")


def switch(connection: sa.Connection, index_id: int) -> None:
    """Let another index answer from the end of this transaction on."""
    _retire(connection, "live")
    connection.execute(sa.update(db.indexes).where(db.indexes.c.index_id == index_id).values(state="live"))


def close(engine: sa.Engine, index_id: int) -> None:
    """Note that the collection of a retired index is gone."""
    with db.writing(engine) as connection:
        chosen = sa.update(db.indexes).where(db.indexes.c.index_id == index_id)
        connection.execute(chosen.values(state="dropped"))


def _add(connection: sa.Connection, collection: str, settings: Settings, state: str) -> int:
    values = {"collection": collection, "embedding_model": settings.embedding_model, "state": state}
    return db.new_id(connection.execute(sa.insert(db.indexes).values(**values, chunking=chunking(settings))))


def _retire(connection: sa.Connection, state: str) -> None:
    connection.execute(sa.update(db.indexes).where(db.indexes.c.state == state).values(state="retired"))
