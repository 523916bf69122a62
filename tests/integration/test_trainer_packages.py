"""Packages that `sightline trainer init` makes: the same script on the sample and on hidden data."""

import json
from pathlib import Path

import pytest

from sightline.data import Dataset
from tests.integration.conftest import World
from tests.tasks.scenes import rectangles

HIDDEN = 60
SAMPLE = 20
SHORT = ("trainer.max_duration=1ep", "trainer.validate_every=1ep", "trainer.device=cpu")


@pytest.fixture(scope="module")
def hidden(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the published dataset ``rectangles``, which has boxes and masks."""
    folder = rectangles(tmp_path_factory.mktemp("rectangles"), count=HIDDEN)
    world.owner.does("dataset", "publish", str(folder), "--sample", str(SAMPLE), "--release", "auto")
    return folder


@pytest.mark.parametrize(
    ("task", "dataset", "metric"),
    [
        ("detection", "rectangles", "ap50"),
        ("segmentation", "rectangles", "iou"),
        ("spec", "digits", "accuracy"),
    ],
)
def test_a_new_package_trains_here_and_on_the_service(
    world: World, hidden: Path, digits_folder: Path, task: str, dataset: str, metric: str
) -> None:
    person = world.developer
    package = person.home / f"learn-{task}"
    person.does("trainer", "init", "--task", task, package.name, "--dataset", dataset)
    if not (person.home / ".data" / "datasets" / dataset).exists():
        person.does("dataset", "download", dataset)
    here = person.python(str(package / "scripts" / "train.py"), *SHORT)
    assert here.returncode == 0, here.stderr

    output = person.does(
        *("experiment", "create", "--name", task, "--dataset", dataset, "--trainer-path", package.name),
        *("--cmd", f"python scripts/train.py {' '.join(SHORT)}", "--follow"),
        timeout=280,
    )
    assert f"test/{metric}" in output
    points = {point["name"]: point["value"] for point in person.asks("experiment", "metrics", task)}
    person.does("experiment", "download", task, "--destination", task)
    model = person.home / task / "model"
    assert json.loads((model / "model.json").read_text())

    # The owner, who has all of the data, measures the same on it.
    everything = digits_folder if dataset == "digits" else hidden
    assert len(Dataset.from_path(everything)) > SAMPLE
    measured = world.owner.asks("eval", str(model), "--data", str(everything), "--no-report")
    assert measured[f"test/{metric}"] == pytest.approx(points[f"test/{metric}"], abs=1e-6)
