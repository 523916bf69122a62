"""Planning, from the command line."""

import json
from pathlib import Path

import pytest

from sightline.config import load
from sightline.engine import Spec
from tests.cli.conftest import Person
from tests.data.factory import classification_dataset
from tests.tasks.scenes import coloured, rectangles


@pytest.fixture
def me(nobody: Person) -> Person:
    coloured(nobody.home)
    return nobody


def test_a_plan_is_a_spec_that_train_takes(me: Person) -> None:
    result = me.ok("plan", "coloured")
    assert result.out.startswith("coloured.yaml: classification of 3 classes")
    assert "sightline train coloured.yaml --dry-run" in result.err
    text = (me.home / "coloured.yaml").read_text()
    assert "dataset: coloured " in text
    assert all("#" in line for line in text.splitlines() if not line.rstrip().endswith(":"))
    assert "all parts work together" in me.ok("train", "coloured.yaml", "--dry-run").err


def test_a_plan_is_not_written_over_by_another(me: Person) -> None:
    me.ok("plan", "coloured", "-o", "mine.yaml")
    me.ok("plan", "coloured", "-o", "mine.yaml")  # the same
    (me.home / "mine.yaml").write_text("name: mine\n")
    result = me("plan", "coloured", "-o", "mine.yaml")
    assert result.code == 1
    assert "mine.yaml: is there already, and may have your changes" in result.err
    me.ok("plan", "coloured", "-o", "mine.yaml", "--overwrite")
    assert load(Spec, me.home / "mine.yaml").name == "coloured"


def test_a_plan_on_standard_output(me: Person) -> None:
    (me.home / "here.yaml").write_text(me.ok("plan", "coloured", "-o", "-").out)
    assert load(Spec, me.home / "here.yaml").name == "coloured"
    assert not (me.home / "coloured.yaml").exists()


def test_a_plan_as_json(me: Person) -> None:
    found = me.ok("plan", "coloured", "--json", "--time", "5m").json
    assert found["file"] == "coloured.yaml"
    assert found["splits_file"] is None
    assert found["dataset"]["samples"] == {"train": 18, "validation": 6, "test": 6}
    assert found["machine"]["cpus"] >= 1
    assert found["spec"]["task"]["class_path"] == "sightline.tasks.Classification"
    reasons = {choice["key"]: choice["reason"] for choice in found["choices"]}
    assert all(reasons.values())
    assert "trainer.max_duration" in reasons


def test_missing_splits_are_written_beside_it(me: Person) -> None:
    made = classification_dataset(me.home / "images", {("UNDEFINED", "cat"): 5, ("UNDEFINED", "dog"): 5})
    made.write(me.home / "pets", progress=False)
    assert "name the spec with -o FILE" in me("plan", "pets", "-o", "-").err
    assert "pets-splits.json: there were none" in me.ok("plan", "pets").out
    assert json.loads((me.home / "pets-splits.json").read_text())["kind"] == "sightline split manifest"
    assert "splits: pets-splits.json" in (me.home / "pets.yaml").read_text()


def test_plan_and_train_at_once(me: Person) -> None:
    words = ("trainer.max_duration=1ep", "trainer.validate_every=1ep", "trainer.checkpoint_every=1ep")
    found = me.ok("train", "--plan", "coloured", *words, "--json").json
    assert found["status"] == "succeeded"
    assert (me.home / "coloured.yaml").exists()
    assert Path(found["report"]).is_file()


def test_plans_that_cannot_be_made(me: Person) -> None:
    rectangles(me.home)
    assert "name one with --task" in me("plan", "rectangles").err
    assert (
        "semantic_segmentation"
        in me.ok("plan", "rectangles", "--task", "semantic_segmentation", "-o", "-").out
    )
    (me.home / "photos").mkdir()
    assert "make one of it with `sightline dataset convert photos" in me("plan", "photos").err
    assert "give a time above 0, such as 90s" in me("plan", "coloured", "--time", "3ep").err
    assert "give --plan DATASET" in me("train", "coloured.yaml", "--time", "1m").err
    assert "leave out coloured.yaml" in me("train", "coloured.yaml", "--plan", "coloured").err
