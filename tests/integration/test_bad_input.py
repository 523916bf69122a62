"""Mistakes at the command line: one clear sentence each, a non-zero exit, and nothing half done."""

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest

from tests.integration.conftest import Person, World, write_package


def create(*words: str) -> list[str]:
    return ["experiment", "create", "--dataset", "digits", *words]


def test_a_package_without_dockerfile(world: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", train="print()")
    (package / "Dockerfile").unlink()
    assert "Dockerfile" in world.developer.is_refused("trainer", "create-zip", str(package))
    assert "Dockerfile" in world.developer.is_refused(*create("--trainer-path", str(package)))


def test_a_package_without_scripts(world: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package")
    assert "scripts" in world.developer.is_refused("trainer", "create-zip", str(package))


@pytest.mark.parametrize("missing", ["Dockerfile", "scripts/train.py"])
def test_a_zip_that_lacks_a_part_is_refused_by_the_service_too(
    world: World, tmp_path: Path, missing: str
) -> None:
    path = tmp_path / "trainer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in {"Dockerfile", "scripts/train.py"} - {missing}:
            archive.writestr(name, "x")
    assert missing.split("/")[0] in world.developer.is_refused("trainer", "create", str(path))


def test_a_zip_that_points_outside(world: World, tmp_path: Path) -> None:
    path = tmp_path / "trainer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Dockerfile", "x")
        archive.writestr("scripts/train.py", "x")
        archive.writestr("../outside.py", "x")
    assert "../outside.py" in world.developer.is_refused("trainer", "create", str(path))


def test_a_zip_with_a_link(world: World, tmp_path: Path) -> None:
    path = tmp_path / "trainer.zip"
    link = zipfile.ZipInfo("scripts/link.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Dockerfile", "x")
        archive.writestr("scripts/train.py", "x")
        archive.writestr(link, "/etc/passwd")
    assert "symbolic link" in world.developer.is_refused("trainer", "create", str(path))


def test_an_unknown_dataset_lists_those_there_are(world: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", train="print()")
    words = ["experiment", "create", "--dataset", "digtis", "--trainer-path", str(package)]
    error = world.developer.is_refused(*words, "--cmd", "python scripts/train.py")
    assert "digtis" in error
    assert "digits" in error
    assert "digtis" in world.developer.is_refused("dataset", "download", "digtis")


def test_a_wrong_key(world: World) -> None:
    stranger = with_environment(world.developer, SIGHTLINE_API_KEY="sl_wrong")
    assert "key" in stranger.is_refused("dataset", "ls").lower()


def test_a_service_that_is_down(world: World) -> None:
    nobody = with_environment(world.developer, SIGHTLINE_URL="http://127.0.0.1:9")
    assert "http://127.0.0.1:9" in nobody.is_refused("dataset", "ls")


def test_a_command_that_the_package_does_not_have(world: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", train="print()")
    error = world.developer.is_refused(
        *create("--trainer-path", str(package), "--cmd", "python scripts/trian.py")
    )
    assert "scripts/trian.py" in error
    assert "scripts/train.py" in error


FAILING = {
    "exit": ("import sys; sys.exit(3)", "exited with code 3"),
    "forever": ("import time\nwhile True: time.sleep(1)", "time limit"),
    "memory": ("hoard = []\nwhile True: hoard.append(bytearray(1 << 24))", "memory"),
    "output": (
        "import os, pathlib\n"
        "out = pathlib.Path(os.environ['SIGHTLINE_MODEL_DIR'])\n"
        "for i in range(10_000): (out / f'{i}.bin').write_bytes(bytes(1 << 20))",
        "output quota",
    ),
}


@pytest.mark.parametrize("script", FAILING)
def test_a_job_that_fails_says_why(world_with_small_limits: World, tmp_path: Path, script: str) -> None:
    developer = world_with_small_limits.developer
    text, expected = FAILING[script]
    package = write_package(tmp_path / "package", **{script: text})
    words = [
        "--name",
        script,
        "--trainer-path",
        str(package),
        "--cmd",
        f"python scripts/{script}.py",
        "--follow",
    ]
    error = developer.is_refused(*create(*words))
    assert expected in error
    shown = developer.asks("experiment", "show", script)
    assert shown["state"] == "failed"
    assert expected in shown["reason"]


@pytest.fixture(scope="module")
def world_with_small_limits(tmp_path_factory, digits_folder):
    from tests.integration.conftest import make_world

    folder = tmp_path_factory.mktemp("small")
    (folder / "service").mkdir()
    tier = {
        "id": "tiny",
        "name": "tiny",
        "order": 0,
        "instance": "test",
        "cpu": "any",
        "cpu_count": 1,
        "ram": 200 << 20,
        "time_limit_s": 5,
        "output_quota_bytes": 50 << 20,
    }
    (folder / "service" / "environments.json").write_text(json.dumps([tier]))
    world = make_world(folder)
    world.owner.does("dataset", "publish", str(digits_folder), "--sample", "60", "--release", "auto")
    yield world
    world.service.stop()


def with_environment(person: Person, **values: str) -> Person:
    return dataclasses.replace(person, environment={**person.environment, **values})
