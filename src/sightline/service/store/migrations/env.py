"""Alembic's entry: it runs on the connection that `sightline.service.store.migrate` hands over."""

from alembic import context

from sightline.service.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction is the transaction
)
context.run_migrations()
