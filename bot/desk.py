"""The one place that wires the parts together: settings in, a desk that can search and consult out."""

from dataclasses import dataclass

import sqlalchemy as sa
from langchain_core.embeddings import Embeddings

from bot import db, indexes, model
from bot.knowledge import Collections, Knowledge
from bot.serving import reader
from bot.serving.reader import Reader
from bot.settings import Settings, load_settings


@dataclass(frozen=True)
class Desk:
    """What every consultation and every worker needs. Building it talks to the database alone. In the background,
    what it asks the chat model gives way to customers; `open_desk` decides it for embeddings, too."""

    settings: Settings
    database: sa.Engine
    collections: Collections
    background: bool = False

    @property
    def knowledge(self) -> Knowledge:
        """The collection that answers now; it changes when an index has been rebuilt."""
        return self.collections.of(indexes.live(self.database))

    @property
    def embeddings(self) -> Embeddings:
        """The embedding model of the collection that answers now."""
        return self.knowledge.embeddings

    @property
    def embedding_model(self) -> str:
        """Its name."""
        return indexes.live(self.database).embedding_model

    @property
    def reader(self) -> Reader:
        """What finds the words that answer in what the search brings up; it reads in this process."""
        return reader.shipped(self.settings)


def open_desk(settings: Settings | None = None, *, background: bool = False) -> Desk:
    """Wire the parts that the settings name; with `background`, its chats and embeddings give way to everybody else's.

    Raises `SettingsError` where a setting makes no sense.
    """
    settings = settings or load_settings()
    database = db.connect(settings.database)
    if not db.is_current(database):
        db.migrate(database)  # so that every command works before the first start, too
    indexes.ensure(database, settings)
    collections = Collections(
        settings.chroma_url, lambda name: model.embeddings(settings, model=name, background=background)
    )
    return Desk(settings, database, collections, background)
