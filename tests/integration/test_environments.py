"""Packages that need what the agent does not have: the environment is built once, and can be cancelled."""

import zipfile
from pathlib import Path

import pytest

from tests.integration.conftest import World, make_world, write_package
from tests.needs import needs

USE = "import tinything; print('tinything', tinything.VERSION)"


def tiny_wheel(folder: Path) -> Path:
    """The smallest wheel there is."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "tinything-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinything.py", "VERSION = '1.0'\n")
        info = "tinything-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture(scope="module")
def world_with_wheels(tmp_path_factory: pytest.TempPathFactory, digits_folder: Path):
    from sightline.sandbox import available

    needs("a namespace sandbox (bubblewrap or unshare)", "namespace" in available())
    folder = tmp_path_factory.mktemp("wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_FIND_LINKS", str(tiny_wheel(folder / "wheels")))
        patch.setenv("UV_NO_INDEX", "1")
        world = make_world(folder)
    world.owner.does("dataset", "publish", str(digits_folder), "--sample", "60", "--release", "auto")
    yield world
    world.service.stop()


def create(world: World, package: Path, name: str, *words: str) -> list[str]:
    (package / "requirements.txt").write_text("tinything==1.0\n")
    command = ["experiment", "create", "--name", name, "--dataset", "digits", "--trainer-path", str(package)]
    return [*command, "--cmd", "python scripts/use.py", *words]


def test_an_environment_is_built_once_and_used_again(world_with_wheels: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", use=USE)
    developer = world_with_wheels.developer
    assert "tinything 1.0" in developer.does(*create(world_with_wheels, package, "first", "--follow"))
    again = developer.does(*create(world_with_wheels, package, "second", "--follow"))
    assert "tinything 1.0" in again
    environments = world_with_wheels.service.log.parent / "agents" / "local-1" / "cache" / "environments"
    assert len([path for path in environments.iterdir() if path.is_dir()]) == 1


def test_what_cannot_be_installed_is_said_in_one_sentence(world_with_wheels: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", use=USE)
    words = create(world_with_wheels, package, "missing", "--follow")
    (package / "requirements.txt").write_text("no-such-thing==3.1\n")
    assert "no-such-thing" in world_with_wheels.developer.is_refused(*words)
    assert world_with_wheels.developer.asks("experiment", "show", "missing")["state"] == "failed"
