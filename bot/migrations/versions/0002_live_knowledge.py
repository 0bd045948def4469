"""Indexes beside each other, lanes of work, what a document's `.meta.yaml` says, and where its time went."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CHUNKS = """
CREATE TABLE numbered (
    number INTEGER NOT NULL PRIMARY KEY,
    chunk_id VARCHAR(64) NOT NULL,
    version_id INTEGER NOT NULL REFERENCES versions (version_id),
    ordinal INTEGER NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL,
    signature BLOB NOT NULL DEFAULT '',
    UNIQUE (chunk_id)
)
"""
SQLITE = (
    CHUNKS,
    "INSERT INTO numbered (chunk_id, version_id, ordinal, heading, page, text)"
    " SELECT chunk_id, version_id, ordinal, heading, page, text FROM chunks",
    "DROP TABLE chunks",
    "ALTER TABLE numbered RENAME TO chunks",
    "CREATE INDEX ix_chunks_version_id ON chunks (version_id)",
    "DROP TABLE chunk_words",
    "CREATE VIRTUAL TABLE chunk_words USING fts5(heading, text, tokenize='porter unicode61')",
    "INSERT INTO chunk_words (rowid, heading, text) SELECT number, heading, text FROM chunks",
)
POSTGRESQL = (
    "ALTER TABLE chunks DROP CONSTRAINT chunks_pkey",
    "ALTER TABLE chunks ADD COLUMN number BIGSERIAL PRIMARY KEY",
    "ALTER TABLE chunks ADD UNIQUE (chunk_id)",
    "ALTER TABLE chunks ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE chunks ADD COLUMN signature BYTEA NOT NULL DEFAULT ''",
    "ALTER TABLE chunks DROP COLUMN words",
    "ALTER TABLE chunks ADD COLUMN words tsvector GENERATED ALWAYS AS ("
    " setweight(to_tsvector('english', title || ' ' || heading), 'A')"
    " || setweight(to_tsvector('english', text), 'B')) STORED",
    "CREATE INDEX chunks_words ON chunks USING gin (words)",
)


def upgrade() -> None:
    """Add tables and columns. Documents that are there belong to a first index; the next start builds a newer one.

    Chunks get a number, by which the lexical index of SQLite knows them: it can delete by nothing else without a scan.
    """
    op.create_table(
        "indexes",
        sa.Column("index_id", sa.Integer(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("embedding_model", sa.Text(), nullable=False),
        sa.Column("chunking", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("index_id"),
        sa.UniqueConstraint("collection"),
    )
    op.create_table(
        "notices",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for table, column in _columns():
        op.add_column(table, column)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
    op.create_index(op.f("ix_documents_active_version_id"), "documents", ["active_version_id"])
    op.create_index(op.f("ix_versions_indexed_at"), "versions", ["indexed_at"])
    op.execute("UPDATE jobs SET lane = 'gpu' WHERE kind = 'train'")
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM versions")):
        op.execute("INSERT INTO indexes VALUES (1, 'documents', 'all-minilm-l6-v2', 'words-110', 'live')")


def _columns() -> list[tuple[str, sa.Column[object]]]:
    return [
        ("documents", sa.Column("owner", sa.Text(), nullable=False, server_default="")),
        ("documents", sa.Column("valid_from", sa.Float())),
        ("documents", sa.Column("valid_until", sa.Float())),
        ("documents", sa.Column("problem", sa.Text(), nullable=False, server_default="")),
        ("versions", sa.Column("index_id", sa.Integer(), nullable=False, server_default="1")),
        ("versions", sa.Column("title", sa.Text(), nullable=False, server_default="")),
        ("versions", sa.Column("timings_ms", sa.JSON(), nullable=False, server_default="{}")),
        ("versions", sa.Column("notes", sa.JSON(), nullable=False, server_default="[]")),
        ("jobs", sa.Column("lane", sa.String(length=8), nullable=False, server_default="fast")),
        ("jobs", sa.Column("started_at", sa.Float())),
    ]
