"""Bring a database to the newest schema."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from sightline.service.store.database import Database


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration over an open connection; the migrations lie inside this package."""
    config = Config()
    config.set_main_option("script_location", "sightline.service.store:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all of them or none."""
    with database.engine.execution_options(sightline_writes=True).begin() as connection:
        command.upgrade(alembic_config(connection), "head")
