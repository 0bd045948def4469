"""The records database: its tables, its transactions and its clock.

SQLite on one machine, PostgreSQL on many. Queries live in the module that owns the thing they are about (ledger,
documents, indexes, jobs, notices, conversations, feedback, gaps, adapters, staff). Times are seconds since 1970 by the
database's clock, so that machines whose clocks disagree still agree on leases.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# Earlier versions can corrupt a WAL database when two connections checkpoint at once.
SQLITE_WITH_SAFE_WAL = (3, 51, 3)

# The newest migration; a database that is behind it is brought up to date when a desk is opened.
REVISION = "0004"

Row: TypeAlias = sa.Row[*tuple[Any, ...]]

metadata = sa.MetaData()

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("document_id", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False, default=False),
    sa.Column("active_version_id", sa.Integer, index=True),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("owner", sa.Text, nullable=False, default=""),
    sa.Column("valid_from", sa.Float),
    sa.Column("valid_until", sa.Float),
    sa.Column("problem", sa.Text, nullable=False, default=""),
)

indexes = sa.Table(
    "indexes",
    metadata,
    sa.Column("index_id", sa.Integer, primary_key=True),
    sa.Column("collection", sa.Text, nullable=False, unique=True),
    sa.Column("embedding_model", sa.Text, nullable=False),
    sa.Column("chunking", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("version_id", sa.Integer, primary_key=True),
    sa.Column("document_id", sa.ForeignKey("documents.document_id"), nullable=False, index=True),
    sa.Column("index_id", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False, default=""),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_at", sa.Float, nullable=False),
    sa.Column("pages", sa.Integer),
    sa.Column("chunk_count", sa.Integer, nullable=False, default=0),
    sa.Column("timings_ms", sa.JSON, nullable=False, default=dict),
    sa.Column("notes", sa.JSON, nullable=False, default=list),
    sa.Column("indexed_at", sa.Float, index=True),
    sa.Column("forgotten_at", sa.Float),
    sa.Column("proof", sa.Text),
)

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("chunk_id", sa.String(64), nullable=False, unique=True),
    sa.Column("version_id", sa.ForeignKey("versions.version_id"), nullable=False, index=True),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False, default=""),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False, default=b""),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(128), nullable=False),
    sa.Column("lane", sa.String(8), nullable=False, default="fast"),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("fence", sa.Integer, nullable=False, default=0),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("lease_until", sa.Float, nullable=False, default=0.0),
    sa.Column("error", sa.Text),
    sa.Column("progress", sa.JSON, nullable=False, default=dict),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("rung_at", sa.Float, nullable=False, default=0.0),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.UniqueConstraint("kind", "subject"),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("conversation_id", sa.String(32), primary_key=True),
    sa.Column("customer", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("answer_id", sa.String(32), primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey("conversations.conversation_id"), index=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("feedback_id", sa.Integer, primary_key=True),
    sa.Column("answer_id", sa.String(32), nullable=False, unique=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("rating", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("comment", sa.Text, nullable=False, default=""),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("rewrite", sa.Text, nullable=False, default=""),
    sa.Column("approved_digest", sa.String(64)),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("reviewer", sa.Text, nullable=False, default=""),
    sa.Column("adapter", sa.String(64)),
    sa.Column("trained_in", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("assignee", sa.Text, nullable=False, default=""),
    sa.Column("tag", sa.String(16), nullable=False, default=""),
    sa.Column("owner", sa.Text, nullable=False, default=""),
    sa.Column("settled_at", sa.Float),
    sa.Column("settled_by", sa.Text, nullable=False, default=""),
)

opinions = sa.Table(
    "opinions",
    metadata,
    sa.Column("opinion_id", sa.Integer, primary_key=True),
    sa.Column("feedback_id", sa.Integer, nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("rewrite", sa.Text, nullable=False, default=""),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("feedback_id", "reviewer"),
)

adapters = sa.Table(
    "adapters",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("parent", sa.String(64)),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("meta", sa.JSON, nullable=False, default=dict),
    sa.Column("report", sa.JSON, nullable=False, default=dict),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("activated_at", sa.Float),
    sa.Column("canary_at", sa.Float),
    sa.Column("stale_reason", sa.Text, nullable=False, default=""),
)

release_steps = sa.Table(
    "release_steps",
    metadata,
    sa.Column("step_id", sa.Integer, primary_key=True),
    sa.Column("adapter", sa.String(64), nullable=False),
    sa.Column("step", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("author", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
)

pinned_voices = sa.Table(
    "pinned_voices",
    metadata,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("adapter", sa.String(64), nullable=False),
    sa.Column("author", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
)

learned_rows = sa.Table(
    "learned_rows",
    metadata,
    sa.Column("adapter", sa.String(64), primary_key=True),
    sa.Column("feedback_id", sa.Integer, primary_key=True),
)

contests = sa.Table(
    "contests",
    metadata,
    sa.Column("contest_id", sa.Integer, primary_key=True),
    sa.Column("source_answer_id", sa.String(32), nullable=False, index=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("left", sa.String(64), nullable=False),
    sa.Column("right", sa.String(64), nullable=False),
    sa.Column("left_answer_id", sa.String(32), nullable=False),
    sa.Column("right_answer_id", sa.String(32), nullable=False),
    sa.Column("left_text", sa.Text, nullable=False),
    sa.Column("right_text", sa.Text, nullable=False),
    sa.Column("choice", sa.String(8), nullable=False, default=""),
    sa.Column("reviewer", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("voted_at", sa.Float),
)

preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
    sa.Column("author", sa.Text, nullable=False, default=""),
    sa.Column("changed_at", sa.Float, nullable=False),
)

prompts = sa.Table(
    "prompts",
    metadata,
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(32), nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False, default=""),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("chosen_at", sa.Float),
)

pinned_answers = sa.Table(
    "pinned_answers",
    metadata,
    sa.Column("pin_id", sa.Integer, primary_key=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False, default=""),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("citations", sa.JSON, nullable=False),
    sa.Column("passages", sa.JSON, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("embedding_model", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("voided_at", sa.Float),
    sa.Column("void_reason", sa.Text, nullable=False, default=""),
)

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("gap_id", sa.Integer, primary_key=True),
    sa.Column("answer_id", sa.String(32), nullable=False, unique=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("history", sa.JSON, nullable=False, default=list),
    sa.Column("collection", sa.Text, nullable=False, default=""),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("embedding_model", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("tried_at", sa.Float),
    sa.Column("closed_at", sa.Float),
    sa.Column("closed_by", sa.Text, nullable=False, default=""),
    sa.Column("closing_answer_id", sa.String(32)),
)

handoffs = sa.Table(
    "handoffs",
    metadata,
    sa.Column("handoff_id", sa.Integer, primary_key=True),
    sa.Column("answer_id", sa.String(32), nullable=False, unique=True),
    sa.Column("conversation_id", sa.String(32), nullable=False),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("done_at", sa.Float),
    sa.Column("done_by", sa.Text, nullable=False, default=""),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("label_id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("value", sa.String(32), nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("kind", "text"),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("evaluation_id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("title", sa.Text, nullable=False, default=""),
    sa.Column("pins", sa.JSON, nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

staff = sa.Table(
    "staff",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)

staff_sessions = sa.Table(
    "staff_sessions",
    metadata,
    sa.Column("token_digest", sa.String(64), primary_key=True),
    sa.Column("name", sa.ForeignKey("staff.name", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)


class now(FunctionElement[float]):  # noqa: N801 - it reads as the SQL function that it is
    """The database's clock, in seconds since 1970."""

    type = sa.Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_in_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_in_postgresql(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())"


def connect(url: str) -> sa.Engine:
    """Open the database at an SQLAlchemy URL with the settings that keep it safe (see the SQLite documentation)."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    place = sa.make_url(url).database
    if place and place != ":memory:":
        Path(place).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    journal = "WAL" if sqlite3.sqlite_version_info >= SQLITE_WITH_SAFE_WAL else "TRUNCATE"
    for pragma in ("busy_timeout=10000", f"journal_mode={journal}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that starts to write fails at once when another writer is there, so writers queue first.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that may write: committed at the end, rolled back on an error."""
    with engine.execution_options(writes=True).begin() as connection:
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A consistent view of the records."""
    with engine.begin() as connection:
        yield connection


def compact(engine: sa.Engine) -> None:
    """Write SQLite's file anew, so that nothing that was deleted is left in its unused pages. PostgreSQL does it by
    itself (autovacuum)."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute("VACUUM")


def one(engine: sa.Engine, query: sa.Select[*tuple[Any, ...]]) -> Row | None:
    """The first row of a query, or None."""
    with reading(engine) as connection:
        return connection.execute(query).first()


def rows(engine: sa.Engine, query: sa.Select[*tuple[Any, ...]]) -> list[Row]:
    """All rows of a query."""
    with reading(engine) as connection:
        return list(connection.execute(query))


def new_id(inserted: sa.CursorResult[Any]) -> int:
    """The primary key that an insert was given."""
    key = inserted.inserted_primary_key
    assert key is not None  # every table here has one
    return int(key[0])


def is_current(engine: sa.Engine) -> bool:
    """Whether the tables are those of this release."""
    if not sa.inspect(engine).has_table("alembic_version"):
        return False
    with reading(engine) as connection:
        return bool(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == REVISION)


def migrate(engine: sa.Engine) -> None:
    """Bring the tables up to date (Alembic, `bot/migrations`)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")
