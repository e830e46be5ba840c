"""What Alembic runs to bring a database to another version: in the connection, and the transaction, that it was given."""

from alembic import context

from hub.archive.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
