"""Run by Alembic with the connection that `identity.database.migrate` gives it."""

from alembic import context

from realtime_avatar.identity.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=False,
)
context.run_migrations()
