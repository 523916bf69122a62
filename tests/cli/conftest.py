"""A real service in a thread, people with keys, and the command line as they use it."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sightline.cli.main import main
from sightline.client import ServiceClient
from sightline.client.wire import Role, UserCreate


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with a folder, a key and a terminal. Calling one runs ``sightline`` with these words."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *words: str | Path, stdin: str = "") -> Result:
        out, err = StringIO(), StringIO()
        with (
            chdir(self.home),
            mock.patch.dict(os.environ, self.environment(), clear=True),
            mock.patch("sys.stdout", out),
            mock.patch("sys.stderr", err),
            mock.patch("sys.stdin", StringIO(stdin)),
            pytest.raises(SystemExit) as end,
        ):
            main([str(word) for word in words])
        return Result(int(end.value.code or 0), out.getvalue(), err.getvalue())

    def environment(self) -> dict[str, str]:
        foreign = ("SIGHTLINE_URL", "SIGHTLINE_API_KEY", "SIGHTLINE_DEBUG")
        inherited = {name: value for name, value in os.environ.items() if name not in foreign}
        own = {"SIGHTLINE_CONFIG": str(self.home / "config.json"), "COLUMNS": "120"}
        return {**inherited, **own, **self.variables}

    def ok(self, *words: str | Path, stdin: str = "") -> Result:
        result = self(*words, stdin=stdin)
        assert result.code == 0, result.err
        return result


@dataclass
class Service:
    url: str
    admin_key: str
    agent_key: str
    make_home: Callable[[str], Path]

    def person(self, name: str, role: Role) -> Person:
        with ServiceClient(self.url, self.admin_key) as admin:
            key = admin.create_user(UserCreate(name=name, role=role)).api_key
        variables = {"SIGHTLINE_URL": self.url, "SIGHTLINE_API_KEY": key}
        return Person(self.make_home(name), variables)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from sightline.service.bootstrap import prepare
    from sightline.service.server import serve
    from sightline.service.settings import Settings

    folder = tmp_path_factory.mktemp("service")
    settings = Settings(folder=folder)
    prepared = prepare(settings)
    assert prepared.admin_key
    urls: list[str] = []
    up, stop = threading.Event(), threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        up.set()

    thread = threading.Thread(target=serve, args=(settings, "127.0.0.1", 0, ready, stop))
    thread.start()
    assert up.wait(30)
    agent_key = prepared.agent_key_file.read_text().strip()
    yield Service(urls[0], prepared.admin_key, agent_key, tmp_path_factory.mktemp)
    stop.set()
    thread.join(20)


@pytest.fixture(scope="session")
def admin(service: Service) -> Person:
    variables = {"SIGHTLINE_URL": service.url, "SIGHTLINE_API_KEY": service.admin_key}
    return Person(service.make_home("admin"), variables)


@pytest.fixture(scope="session")
def owner(service: Service) -> Person:
    return service.person("olga", Role.OWNER)


@pytest.fixture(scope="session")
def developer(service: Service) -> Person:
    return service.person("ada", Role.DEVELOPER)


@pytest.fixture
def nobody(tmp_path: Path) -> Person:
    """Somebody who has configured nothing."""
    return Person(tmp_path)


@pytest.fixture(scope="session")
def squares(owner: Person) -> Path:
    """A dataset folder: 12 images of 2 classes in two splits."""
    import numpy as np
    from PIL import Image

    from sightline.data import Dataset

    images = owner.home / "images"
    for split, count in (("train", 4), ("test", 2)):
        for label in ("dark", "light"):
            (images / split / label).mkdir(parents=True)
            for index in range(count):
                value = index + (100 if label == "light" else 0) + (50 if split == "test" else 0)
                pixels = np.full((8, 8, 3), value, dtype=np.uint8)
                Image.fromarray(pixels).save(images / split / label / f"{index}.png")
    Dataset.from_image_folder(images, name="squares").write(owner.home / "squares")
    return owner.home / "squares"


@pytest.fixture(scope="session")
def published(owner: Person, squares: Path) -> str:
    """The name of a dataset on the service: 12 hidden items, a sample of 4."""
    owner.ok("dataset", "publish", squares, "--sample", "4", "--title", "Squares", "--release", "owner")
    return "squares"


@pytest.fixture(scope="session")
def package(developer: Person) -> Path:
    """A trainer package's folder."""
    folder = developer.home / "my trainer"
    (folder / "scripts").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM python:3.11\n")
    (folder / "scripts" / "train.py").write_text(
        "import os, pathlib, sys\n"
        "from sightline.data import Dataset\n"
        "print('items', len(Dataset.from_name('squares')))\n"
        "pathlib.Path(os.environ['SIGHTLINE_MODEL_DIR'], 'model.txt').write_text('learned')\n"
        "sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)\n"
    )
    return folder
