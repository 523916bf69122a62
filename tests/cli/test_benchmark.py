"""Comparing models, from the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import Person
from tests.cli.test_reports import SPEC
from tests.tasks.scenes import coloured

MINE = """\
import numpy as np

from sightline.data.predictions import ClassScores


class Strongest:
    classes = ["red", "green", "blue"]

    def predict(self, images):
        return [ClassScores(image.mean((0, 1), dtype=np.float32) / 255) for image in images]


class Mute:
    pass
"""


@pytest.fixture
def me(nobody: Person) -> Person:
    coloured(nobody.home)
    (nobody.home / "mine.py").write_text(MINE)
    return nobody


def test_runs_and_classes_in_one_table(me: Person) -> None:
    (me.home / "coloured.yaml").write_text(SPEC)
    me.ok("train", "coloured.yaml", "--folder", "run", "-q", "--no-report")
    measured = me.ok("eval", "run", "--json", "--no-report").json
    result = me.ok("benchmark", "run", "mine.py:Strongest", "coloured", "--json").json
    assert [one["model"] for one in result] == ["run", "mine.py:Strongest"]
    assert result[1]["metrics"]["accuracy"] == 1.0
    for name, value in result[0]["metrics"].items():
        assert value == pytest.approx(measured[f"test/{name}"])
    assert all(one["images"] == 6 and one["images_per_second"] > 0 for one in result)
    table = me.ok("benchmark", "run", "mine.py:Strongest", "coloured", "--split", "validation").out
    head, first, second = table.splitlines()
    assert head.split()[:4] == ["model", "accuracy", "f1", "images/s"]
    assert head.endswith("p50 ms  p90 ms  p99 ms  memory")
    assert first.startswith("run ")
    assert second.startswith("mine.py:Strongest  1.0000")


def test_an_exported_file_is_measured_like_the_others(me: Person) -> None:
    (me.home / "coloured.yaml").write_text(SPEC.replace("small_mlp", "small_resnet").replace("16", "8"))
    me.ok("train", "coloured.yaml", "--folder", "run", "-q", "--no-report")
    me.ok("export", "run", "-o", "model.safetensors")
    run, exported = me.ok("benchmark", "run", "model.safetensors", "coloured", "--json").json
    assert exported["metrics"] == pytest.approx(run["metrics"])


def test_what_cannot_be_measured_is_told(me: Person) -> None:
    assert "name one model or more, then the dataset" in me("benchmark", "coloured").err
    assert "has no method `predict`" in me("benchmark", "mine.py:Mute", "coloured").err
    assert "there is no run 'nothing'" in me("benchmark", "nothing", "coloured").err
    assert "has no split 'other'" in me("benchmark", "mine.py:Strongest", "coloured", "--split", "other").err
    assert Path("run.onnx").name in me("benchmark", "run.onnx", "coloured").err
