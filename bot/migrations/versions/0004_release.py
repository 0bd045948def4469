"""How versions of the style are released and compared, second opinions, and what a customer's erasure touches."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables and columns of the style loop."""
    op.create_table(
        "release_steps",
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("adapter", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("step_id"),
    )
    op.create_table(
        "pinned_voices",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("adapter", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("collection"),
    )
    op.create_table(
        "learned_rows",
        sa.Column("adapter", sa.String(length=64), nullable=False),
        sa.Column("feedback_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("adapter", "feedback_id"),
    )
    op.create_table(
        "opinions",
        sa.Column("opinion_id", sa.Integer(), nullable=False),
        sa.Column("feedback_id", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("rewrite", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.UniqueConstraint("feedback_id", "reviewer"),
        sa.PrimaryKeyConstraint("opinion_id"),
    )
    op.create_table(
        "contests",
        sa.Column("contest_id", sa.Integer(), nullable=False),
        sa.Column("source_answer_id", sa.String(length=32), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("left", sa.String(length=64), nullable=False),
        sa.Column("right", sa.String(length=64), nullable=False),
        sa.Column("left_answer_id", sa.String(length=32), nullable=False),
        sa.Column("right_answer_id", sa.String(length=32), nullable=False),
        sa.Column("left_text", sa.Text(), nullable=False),
        sa.Column("right_text", sa.Text(), nullable=False),
        sa.Column("choice", sa.String(length=8), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("voted_at", sa.Float()),
        sa.PrimaryKeyConstraint("contest_id"),
    )
    op.create_index(op.f("ix_contests_source_answer_id"), "contests", ["source_answer_id"])
    op.create_index(op.f("ix_answers_created_at"), "answers", ["created_at"])
    for table, column in _columns():
        op.add_column(table, column)


def _columns() -> list[tuple[str, sa.Column[object]]]:
    return [
        ("feedback", sa.Column("assignee", sa.Text(), nullable=False, server_default="")),
        ("feedback", sa.Column("tag", sa.String(length=16), nullable=False, server_default="")),
        ("feedback", sa.Column("owner", sa.Text(), nullable=False, server_default="")),
        ("feedback", sa.Column("settled_at", sa.Float())),
        ("feedback", sa.Column("settled_by", sa.Text(), nullable=False, server_default="")),
        ("adapters", sa.Column("canary_at", sa.Float())),
        ("adapters", sa.Column("stale_reason", sa.Text(), nullable=False, server_default="")),
    ]
