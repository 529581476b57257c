"""Alembic's way in: migrates over the connection it is handed."""

from alembic import context

from engine.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Table.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
