"""The first tables, and the lexical index in the form that the database at hand offers."""

from alembic import op

from bot import db

revision = "0001"
down_revision = None

FTS5 = "CREATE VIRTUAL TABLE chunk_words USING fts5(chunk_id UNINDEXED, heading, text, tokenize='porter unicode61')"
TSVECTOR = """
ALTER TABLE chunks ADD COLUMN words tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', heading), 'A') || setweight(to_tsvector('english', text), 'B')) STORED
"""


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind()
    db.metadata.create_all(connection)
    if connection.dialect.name == "sqlite":
        op.execute(FTS5)
    else:
        op.execute(TSVECTOR)
        op.execute("CREATE INDEX chunks_words ON chunks USING gin (words)")
