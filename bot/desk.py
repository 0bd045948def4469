"""The one place that wires the parts together: settings in, a desk that can search and consult out."""

from dataclasses import dataclass

import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import db, model
from bot.knowledge import Knowledge
from bot.settings import Settings, load_settings


@dataclass(frozen=True)
class Desk:
    """What every consultation and every worker needs. Building it talks to the database alone."""

    settings: Settings
    database: sa.Engine
    embeddings: Embeddings
    knowledge: Knowledge


def open_desk(settings: Settings | None = None) -> Desk:
    """Wire the parts that the settings name. Raises `SettingsError` where a setting makes no sense."""
    settings = settings or load_settings()
    embeddings = model.embeddings(settings)
    database = db.connect(settings.database)
    if not sa.inspect(database).has_table("alembic_version"):
        db.migrate(database)  # so that every command works before the first start, too
    return Desk(
        settings=settings,
        database=database,
        embeddings=embeddings,
        knowledge=Knowledge(settings.chroma_url, settings.collection, embeddings),
    )
