import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from sightline.client.wire import Role
from sightline.service.store import users
from sightline.service.store.database import Database
from sightline.service.store.tables import ApiKeyRow, UserRow

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            users.create(session, "anna", Role.OWNER, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as session:
        assert users.named(session, "anna") is None


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(ApiKeyRow(prefix="x", user_id="nobody", hash="h", created_at=NOW))


def test_times_come_back_in_utc_whatever_zone_they_had(database: Database) -> None:
    local = datetime(2030, 1, 1, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    with database.write() as session:
        users.create(session, "anna", Role.OWNER, local)
    with database.read() as session:
        row = session.scalars(select(UserRow)).one()
        assert row.created_at == local
        assert row.created_at.tzinfo is UTC


def test_many_writers_do_not_lose_each_other(database: Database) -> None:
    def write(name: str) -> None:
        for number in range(10):
            with database.write() as session:
                count = len(session.scalars(select(UserRow.id)).all())
                users.create(session, f"{name}-{number}-{count}", Role.DEVELOPER, NOW)

    threads = [threading.Thread(target=write, args=(str(index),)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert len(session.scalars(select(UserRow.id)).all()) == 60


def test_an_acknowledged_write_is_on_the_disk_in_sqlite(database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        return
    with database.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL


def test_the_address_hides_the_password() -> None:
    assert Database("postgresql+psycopg://me:secret@host/db").address == "postgresql+psycopg://me:***@host/db"
