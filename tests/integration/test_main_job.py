"""The example trainer package, unchanged, through the command line."""

import json
import zipfile
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.trainer_package import example_folder
from tests.integration.conftest import World
from tests.needs import shared_data

TRAIN = "scripts/train.py --dataset cifar10-6k --epochs 2 --width 16"


@pytest.fixture(scope="module")
def cifar_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar10")
    with zipfile.ZipFile(shared_data("cifar10") / "cifar10-6k.zip") as archive:
        archive.extractall(folder)
    Dataset.from_image_folder(folder / "cifar10", name="cifar10-6k").write(folder / "dataset")
    return folder / "dataset"


def test_cifar10_from_publishing_to_the_model(world: World, cifar_folder: Path) -> None:
    owner, developer = world.owner, world.developer
    trainer = example_folder("classification")
    owner.does("dataset", "publish", str(cifar_folder), "--sample", "200", "--release", "auto")

    developer.does("dataset", "download", "cifar10-6k")
    sample = Dataset.from_path(developer.home / ".data" / "datasets" / "cifar10-6k")
    assert len(sample) == 200
    more = {"PYTHONPATH": str(trainer / "src"), "OMP_WAIT_POLICY": "PASSIVE"}
    script, *words = TRAIN.split()
    local = developer.python(str(trainer / script), *words, **more)
    assert local.returncode == 0, local.stderr
    assert "200 images" in local.stdout

    output = developer.does(
        "experiment", "create", "--name", "cifar", "--dataset", "cifar10-6k", "--trainer-path", str(trainer),
        "--cmd", f"python {TRAIN}", "--follow", timeout=280,
    )  # fmt: skip
    assert "6000 images" in output
    developer.does("experiment", "download", "cifar", "--destination", "cifar")
    model = developer.home / "cifar" / "model"
    assert json.loads((model / "model.json").read_text())["class_names"] == sample.info.tasks[0].class_names

    judge = developer.python(
        str(trainer / "scripts" / "evaluate.py"), "--dataset", str(cifar_folder), str(model), **more
    )
    assert judge.returncode == 0, judge.stderr
    score = json.loads(judge.stdout)
    assert score["images"] == 1000
    assert score["accuracy"] > 0.3  # two epochs; guessing gives 0.1
    points = developer.asks("experiment", "metrics", "cifar")
    (reported,) = [point["value"] for point in points if point["name"] == "test/accuracy"]
    assert reported == pytest.approx(score["accuracy"], abs=0.005)
