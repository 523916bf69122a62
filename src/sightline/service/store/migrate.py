"""Bring a database to the newest schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from sightline.service.store.database import Database


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all of them or none."""
    with migrating(database) as config:
        command.upgrade(config, "head")


@contextmanager
def migrating(database: Database) -> Iterator[Config]:
    """Alembic's configuration over a transaction, which is committed at the end of the block.

    SQLite changes a table by making it anew and dropping the old one, which references to it would
    forbid: they are not enforced meanwhile, and all checked before the commit.
    """
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        try:
            if is_sqlite:  # no transaction has begun yet: within one the pragma does nothing
                _raw(connection, "PRAGMA foreign_keys = OFF")
            writing = connection.execution_options(sightline_writes=True)
            with writing.begin():
                yield _config(writing)
                if is_sqlite:
                    broken = writing.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    assert not broken, f"a migration broke references: {broken[:3]}"
        finally:
            if is_sqlite:
                _raw(connection, "PRAGMA foreign_keys = ON")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "sightline.service.store:migrations")
    config.attributes["connection"] = connection
    return config


def _raw(connection: Connection, statement: str) -> None:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)
