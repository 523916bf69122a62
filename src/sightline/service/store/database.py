"""The connection to the database, and the two kinds of transaction."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

_WRITES = "sightline_writes"
_BUSY_TIMEOUT_MS = 15_000


class Database:
    """Sessions over SQLite or PostgreSQL.

    On SQLite a writing transaction takes the write lock when it begins (``BEGIN IMMEDIATE``), because
    one that reads first and writes later fails when another got in between. Writers of this process
    also queue at a lock of ours, which is fair and wakes at once where SQLite's own waiting sleeps.
    """

    def __init__(self, url: str) -> None:
        is_sqlite = url.startswith("sqlite")
        self.engine: Engine = create_engine(url, pool_size=20, max_overflow=40, pool_pre_ping=not is_sqlite)
        if is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writes = self.engine.execution_options(**{_WRITES: True})
        self._write_lock: Any = threading.Lock() if is_sqlite else _NoLock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent state of the database, to look only."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises."""
        with self._write_lock, Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    @property
    def address(self) -> str:
        """Where the database is, without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # An acknowledged line must survive also a power cut, and costs 0.2 ms a commit for it.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
