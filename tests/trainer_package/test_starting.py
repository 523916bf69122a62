import tomllib
from pathlib import Path

import pytest

from sightline.config import load
from sightline.engine import Experiment, Spec
from sightline.errors import SightlineError
from sightline.trainer_package import EXAMPLES, begin_package, check_folder, example_folder


@pytest.mark.parametrize("task", EXAMPLES)
def test_every_example_is_a_complete_package_and_so_is_its_copy(tmp_path: Path, task: str) -> None:
    assert check_folder(example_folder(task)) == []
    names = begin_package(tmp_path / "mine", task)
    assert sorted(names) == sorted(
        path.relative_to(tmp_path / "mine").as_posix()
        for path in (tmp_path / "mine").rglob("*")
        if path.is_file()
    )
    assert check_folder(tmp_path / "mine") == []
    project = tomllib.loads((tmp_path / "mine" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("task", [name for name in EXAMPLES if name != "classification"])
def test_the_specs_of_the_examples_hold(tmp_path: Path, task: str) -> None:
    begin_package(tmp_path / "mine", task, dataset="my-images")
    spec = load(Spec, tmp_path / "mine" / "spec.yaml")
    Experiment(spec).check()
    assert spec.task.init_args["data"]["dataset"] == "my-images"
    assert "download my-images\n" in (tmp_path / "mine" / "README.md").read_text()


def test_a_spec_of_ones_own_takes_the_place_of_the_examples(tmp_path: Path) -> None:
    spec = tmp_path / "own.yaml"
    spec.write_text("name: own\ntask: {class_path: own.py:Task}\n")
    begin_package(tmp_path / "mine", "spec", spec=spec)
    assert (tmp_path / "mine" / "spec.yaml").read_bytes() == spec.read_bytes()
    with pytest.raises(SightlineError, match="names no `dataset:`"):
        begin_package(tmp_path / "other", "spec", spec=spec, dataset="digits")
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_bytes(b"a")
    for folder, task, sentence in (
        ("full", "spec", "is not empty"),
        ("with space", "spec", "package names have letters"),
        ("new", "regression", "there is no example for 'regression'; choose one of classification"),
    ):
        with pytest.raises(SightlineError, match=sentence):
            begin_package(tmp_path / folder, task)
    with pytest.raises(SightlineError, match="takes it on the command line"):
        begin_package(tmp_path / "new", "classification", dataset="digits")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["a"]
