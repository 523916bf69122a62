"""A real service with a real agent, and people with keys who use the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sightline.client import ServiceClient
from sightline.client.wire import Role, UserCreate
from sightline.data import Dataset
from sightline.demo.digits import write_digits
from sightline.demo.service_process import ServiceProcess
from sightline.sandbox import available
from tests.needs import needs


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal: a folder of their own, and a key in the environment."""

    home: Path
    environment: Mapping[str, str]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``sightline WORDS``."""
        return self.python("-m", "sightline.cli.main", *words, timeout=timeout)

    def python(self, *words: str, timeout: float = 200, **more: str) -> subprocess.CompletedProcess[str]:
        """``python WORDS``, with ``more`` variables in the environment."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.home,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def does(self, *words: str, timeout: float = 120) -> str:
        """As `run`, and it must succeed; returns standard output."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"sightline {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def asks(self, *words: str):
        """As `does` with ``--json``, parsed."""
        return json.loads(self.does(*words, "--json"))

    def is_refused(self, *words: str, timeout: float = 120) -> str:
        """As `run`, and it must fail with one clear line, which is returned."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode != 0, f"sightline {' '.join(words)} succeeded\n{done.stdout}"
        assert "Traceback" not in done.stderr + done.stdout
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, done.stderr
        return errors[0]

    def client(self) -> ServiceClient:
        """The same person without a command line, for tests that ask often."""
        return ServiceClient(self.environment["SIGHTLINE_URL"], self.environment["SIGHTLINE_API_KEY"])


@dataclass(frozen=True)
class World:
    """A service, and the people around it."""

    service: ServiceProcess
    admin: Person
    owner: Person
    developer: Person


def make_world(folder: Path, *options: str) -> World:
    """Start a service with ``options`` of `sightline up` and make an owner and a developer."""
    service = ServiceProcess(folder / "service", *options)
    with ServiceClient(service.url, service.admin_key) as admin:
        keys = {
            role: admin.create_user(UserCreate(name=f"the-{role}", role=role)).api_key
            for role in (Role.OWNER, Role.DEVELOPER)
        }
    keys[Role.ADMIN] = service.admin_key

    def person(role: Role) -> Person:
        home = folder / role
        home.mkdir()
        urls = {"SIGHTLINE_URL": service.url, "SIGHTLINE_API_KEY": keys[role]}
        return Person(home, {**os.environ, **urls, "SIGHTLINE_CONFIG": str(home / "config.json")})

    return World(service, person(Role.ADMIN), person(Role.OWNER), person(Role.DEVELOPER))


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits dataset on disk."""
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder / "images")
    Dataset.from_image_folder(folder / "images", name="digits").write(folder / "digits")
    return folder / "digits"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, digits_folder: Path) -> Iterator[World]:
    """A service with one local agent and the published dataset ``digits``."""
    needs("a namespace sandbox (bubblewrap or unshare)", "namespace" in available())
    world = make_world(tmp_path_factory.mktemp("world"))
    world.owner.does("dataset", "publish", str(digits_folder), "--sample", "60", "--release", "auto")
    yield world
    world.service.stop()


def write_package(folder: Path, **scripts: str) -> Path:
    """A trainer package that needs nothing but Python; ``scripts`` are its ``scripts/<name>.py``."""
    (folder / "scripts").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM python:3.11-slim\n")
    for name, text in scripts.items():
        (folder / "scripts" / f"{name}.py").write_text(text)
    return folder
