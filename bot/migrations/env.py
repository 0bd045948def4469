"""Alembic's entry: run the migrations on the engine that `bot.db.migrate` hands over."""

from alembic import context

from bot import db

engine = context.config.attributes["engine"]
with engine.execution_options(writes=True).connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
