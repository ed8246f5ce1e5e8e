"""Run by Alembic within the connection that `services.database` hands over."""

from alembic import context

from services.alerts.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
