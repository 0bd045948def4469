"""Vectors of questions as the records keep them: float32 bytes, the name of the embedding model beside them. Only those
of one model are compared; when another model answers, the questions are embedded again."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import db

TOGETHER = 500


def stored(vector: Sequence[float]) -> bytes:
    """A vector as it is kept."""
    return np.array(vector, np.float32).tobytes()


def matrix(rows: Sequence[db.Row]) -> np.ndarray:
    """The vectors of rows, one below the other."""
    return np.array([np.frombuffer(row.vector, np.float32) for row in rows])


def outdated(engine: sa.Engine, table: sa.Table, embedding_model: str) -> bool:
    """Whether questions of a table were embedded by another model."""
    query = sa.select(table.c.question).where(table.c.embedding_model != embedding_model)
    return db.one(engine, query.limit(1)) is not None


def renew(engine: sa.Engine, table: sa.Table, embeddings: Embeddings, embedding_model: str) -> int:
    """Embed the questions of a table again that were embedded by another model, some hundred at a time; return how
    many. Raises `ModelUnavailable`."""
    (key,) = table.primary_key.columns
    query = sa.select(key.label("key"), table.c.question).where(table.c.embedding_model != embedding_model)
    rows = db.rows(engine, query.order_by(key.desc()).limit(TOGETHER))
    vectors = embeddings.embed_documents([row.question for row in rows]) if rows else []
    with db.writing(engine) as connection:
        for row, vector in zip(rows, vectors, strict=True):
            values = {"vector": stored(vector), "embedding_model": embedding_model}
            connection.execute(sa.update(table).where(key == row.key).values(**values))
    return len(rows)
