"""`sightline dataset` on folders of this machine, as people type it."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from sightline.cli.named_values import named_values, step_words
from sightline.data import Dataset
from sightline.errors import SightlineError
from tests.cli.conftest import Person
from tests.data.factory import image_folder
from tests.needs import needs


@pytest.fixture
def pets(nobody: Person) -> Path:
    image_folder(nobody.home / "photos", {"train/cat": 4, "train/dog": 2, "test/cat": 2})
    nobody.ok("dataset", "convert", "photos", "pets")
    return nobody.home / "pets"


def test_convert_recognises_what_it_reads(nobody: Person, pets: Path) -> None:
    assert len(Dataset.from_path(pets)) == 8
    result = nobody.ok(
        "dataset", "convert", "photos", "named", "--read", "name=beasts", "--read", "version=2.0.0"
    )
    assert "photos: read as image_folder" in result.err
    assert "named: 8 samples of 'beasts' as sightline" in result.out
    nobody.ok("dataset", "convert", "pets", "again", "--to", "image_folder", "--how", "symlink")
    assert len(list((nobody.home / "again").rglob("*.png"))) == 8


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["convert", "gone", "x"], "gone: no such file or folder"),
        (["convert", ".", "x"], "looks like no format"),
        (["convert", "pets", "x", "--to", "image_foldr"], "did you mean 'image_folder'?"),
        (["convert", "pets", "x", "--from", "sightlin"], "did you mean 'sightline'?"),
        (["convert", "photos", "x", "--read", "nme=a"], "has no option 'nme'; did you mean 'name'?"),
        (["convert", "photos", "x", "--read", "name"], "'name' is not of the form NAME=VALUE"),
        (
            ["convert", "photos", "x", "--read", "seed=abc"],
            "option 'seed' of format 'image_folder': expected whole number, found 'abc'.",
        ),
        (
            ["convert", "photos", "x", "--read", "split_ratios=0.8"],
            "option 'split_ratios' of format 'image_folder': expected mapping of text to number or null",
        ),
        (
            ["convert", "pets", "x.csv", "--to", "table", "--write", "units=metres"],
            "option 'units' of format 'table': expected one of pixels, fractions, found 'metres'.",
        ),
        (["convert", "photos", "pets"], "exists already"),
        (["apply", "pets", "x", "shufle"], "step 1: there is no operation 'shufle'; did you mean 'shuffle'?"),
        (["apply", "pets", "x", "shuffle sed=1"], "has no argument 'sed'; did you mean 'seed'?"),
        (["apply", "pets", "x", "shuffle 'seed=1"], "close the quotes"),
        (["apply", "pets", "x", '{"shuffle": '], "not valid JSON"),
        (["apply", "pets", "pets", "shuffle"], "exists already"),
        (["view", "pets", "-o", "x.txt"], "write to a .png or an .html file"),
        (["view", "pets", "-o", "x.png", "--split", "validation"], "has no split 'validation'"),
        (["operations", "shufle"], "did you mean 'shuffle'?"),
    ],
)
def test_mistakes_get_a_sentence(nobody: Person, pets: Path, words: list[str], sentence: str) -> None:
    before = sorted(nobody.home.rglob("*"))
    result = nobody("dataset", *words)
    assert result.code == 1
    assert sentence in result.err
    assert result.err.startswith(("error: ", "photos: read as"))
    assert sorted(nobody.home.rglob("*")) == before


def test_apply_steps_and_write_the_manifest(nobody: Person, pets: Path) -> None:
    nobody.ok(
        *("dataset", "apply", "pets", "small", "sample n=5 seed=1"),
        *("create_splits ratios.train=0.6 ratios.test=0.4", "--manifest", "splits.json"),
    )
    small = Dataset.from_path(nobody.home / "small")
    assert sorted(small.samples["split"]) == ["test"] * 2 + ["train"] * 3
    where = nobody.ok("dataset", "apply", "pets", "other", "shuffle", "--manifest", "a/b/splits.json")
    assert "a/b/splits.json: which sample is in which split" in where.out
    assert (nobody.home / "a" / "b" / "splits.json").is_file()
    again = nobody.ok("dataset", "apply", "small", "same", "apply_split_manifest manifest=splits.json")
    assert "train 3, test 2" in again.out
    assert not list(nobody.home.glob(".*images*"))


def test_steps_that_write_images(nobody: Person, pets: Path) -> None:
    nobody.ok("dataset", "apply", "pets", "tiles", "tile size=8 stride=8")
    tiles = Dataset.from_path(nobody.home / "tiles")
    assert len(tiles) > 8
    assert tiles.check("decode").is_empty()
    linked = nobody("dataset", "apply", "pets", "linked", "tile size=8 stride=8", "--how", "symlink")
    assert "cannot be linked to" in linked.err
    assert not (nobody.home / "linked").exists()


def test_check_lists_problems_and_exits_with_1(nobody: Person, pets: Path) -> None:
    assert "no problem found" in nobody.ok("dataset", "check", "pets").out
    Path(Dataset.from_path(pets)[0].file_path or "").unlink()
    result = nobody("dataset", "check", "pets")
    assert result.code == 1
    assert "missing image" in result.out
    problems = nobody("dataset", "check", "pets", "--json")
    assert problems.code == 1
    assert [problem["problem"] for problem in problems.json] == ["missing image"]
    assert nobody("dataset", "check", "photos").code == 0


def test_stats_plots_and_views(nobody: Person, pets: Path) -> None:
    assert "cat" in nobody.ok("dataset", "stats", "pets").out
    plots = nobody.ok("dataset", "plot", "pets", "--output", "plots").out.split()
    assert plots
    assert all((nobody.home / path).read_bytes().startswith(b"\x89PNG") for path in plots)
    nobody.ok("dataset", "view", "pets", "--output", "sheet.png", "-n", "4")
    assert (nobody.home / "sheet.png").read_bytes().startswith(b"\x89PNG")
    nobody.ok("dataset", "view", "pets", "--output", "page.html", "--split", "train")
    assert "<html" in (nobody.home / "page.html").read_text()


def test_formats_and_operations_are_listed(nobody: Person) -> None:
    formats = {entry["name"]: entry for entry in nobody.ok("dataset", "formats", "--json").json}
    assert formats["sightline"]["read"] == ["check_images"]
    assert "name" in formats["image_folder"]["read"]
    assert "sightline" in nobody.ok("dataset", "formats").out
    operations = {entry["name"]: entry for entry in nobody.ok("dataset", "operations", "--json").json}
    assert operations["shuffle"]["arguments"] == [{"name": "seed", "type": "whole number", "default": 0}]
    assert operations["rename_task"]["arguments"][0] == {"name": "old", "type": "text"}
    assert "folder" not in {argument["name"] for argument in operations["tile"]["arguments"]}
    explained = nobody.ok("dataset", "operations", "shuffle").out
    assert explained.startswith("shuffle(seed: whole number = 0)\n")
    listed = nobody.ok("dataset", "operations").out
    assert "filter_tags(tags: list of text, match: one of any, all, none = 'any')\n    The samples" in listed


def test_images_inside_a_hugging_face_dataset_come_along(nobody: Person, pets: Path) -> None:
    needs("the extra huggingface", find_spec("datasets") is not None)
    import datasets

    images = [sample.read_image() for sample in Dataset.from_path(pets)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    made = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 4}, features=features)
    made.save_to_disk(nobody.home / "hub")
    result = nobody.ok("dataset", "convert", "hub", "below/there")
    assert "hub: read as huggingface" in result.err
    converted = Dataset.from_path(nobody.home / "below" / "there")
    assert [(sample.read_image() == image).all() for sample, image in zip(converted, images, strict=True)]
    assert "cat" in nobody.ok("dataset", "stats", "hub").out
    assert "no problem found" in nobody.ok("dataset", "check", "hub").out
    nobody.ok("dataset", "apply", "hub", "two", "sample n=2")
    before = sorted(nobody.home.rglob("*"))
    linked = nobody("dataset", "convert", "hub", "linked", "--how", "symlink")
    assert "there are new images, which cannot be linked to; leave out --how symlink" in linked.err
    assert sorted(nobody.home.rglob("*")) == before


def test_named_values() -> None:
    assert named_values(["a=1", "b=x", "c=[1, 2]", "d.e=0.5", "d.f=true", "g=a=b", 'h="1"']) == {
        "a": 1,
        "b": "x",
        "c": [1, 2],
        "d": {"e": 0.5, "f": True},
        "g": "a=b",
        "h": "1",
    }
    for words in (["a=1", "a=2"], ["a=1", "a.b=2"], ["=1"]):
        with pytest.raises(SightlineError):
            named_values(words)
    step = {"filter": {"expression": "width > 5"}}
    assert step_words("filter 'expression=width > 5'") == step_words(json.dumps(step)) == step
    assert step_words("filter 'width > 5'") == step
    assert step_words("""filter "split = 'train'" """) == {"filter": {"expression": "split = 'train'"}}
    assert (
        step_words("select 0,2") == step_words("select positions=[0,2]") == {"select": {"positions": [0, 2]}}
    )
    assert step_words("select 5") == {"select": {"positions": [5]}}
    assert step_words("keep_tasks names=a,b") == step_words("keep_tasks [a, b]".replace(", ", ","))
    mapping = {"Vehicle.Van": "van", "*": "__REMOVE__"}
    words = step_words("map_classes mapping.Vehicle.Van=van mapping.*=__REMOVE__")
    assert words == {"map_classes": {"mapping": mapping}}
    with pytest.raises(SightlineError, match="'2' is one value too many"):
        step_words("shuffle 1 2")


def test_what_is_to_be_text_is_text_also_where_it_looks_like_json() -> None:
    assert step_words("filter_classes 1") == {"filter_classes": {"class_names": ["1"]}}
    assert step_words("filter_classes 0,null") == {"filter_classes": {"class_names": ["0", "null"]}}
    assert step_words("filter_classes cat task=3") == {
        "filter_classes": {"class_names": ["cat"], "task": "3"}
    }
    mapping = {"0": "land", "1": "1"}
    assert step_words("map_classes mapping.0=land mapping.1=1") == {"map_classes": {"mapping": mapping}}
    assert step_words("create_split_dataset train,test") == {
        "create_split_dataset": {"split": ["train", "test"]}
    }
    words = ["version=1.10", "ignore=0,255", "classes=1,2", "name=null"]
    hints = {"version": str, "ignore": int | Sequence[int], "classes": list[str], "name": str | None}
    assert named_values(words, hints) == {
        "version": "1.10",
        "ignore": [0, 255],
        "classes": ["1", "2"],
        "name": None,
    }


def test_check_lists_missing_images_of_any_format(nobody: Person) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 8, "height": 8} for n in range(3)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4]} for n in range(3)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (nobody.home / "pets.json").write_text(json.dumps(content))
    assert "3 of 3 images are missing" in nobody("dataset", "convert", "pets.json", "x").err
    found = nobody("dataset", "check", "pets.json", "--json")
    assert found.code == 1
    assert [row["problem"] for row in json.loads(found.out)] == ["missing image"] * 3


def test_what_a_killed_process_left_is_cleared_away(nobody: Person, pets: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, others = nobody.home / f".small.{ended.pid}-ab.part", nobody.home / f".large.{ended.pid}-ab.part"
    for folder in (left, others):
        folder.mkdir()
        (folder / "0.png").touch()
    nobody.ok("dataset", "apply", "pets", "small", "strip_metadata")
    assert (left.exists(), others.exists()) == (False, True)
    assert len(Dataset.from_path(nobody.home / "small")) == 8


def test_annotations_beside_images_are_not_passed_over(nobody: Person, pets: Path) -> None:
    nobody.ok("dataset", "convert", "pets", "boxes", "--from", "sightline")
    (nobody.home / "photos" / "annotations.json").write_text(
        '{"images": [], "annotations": [], "categories": []}'
    )
    result = nobody("dataset", "convert", "photos", "lost")
    assert result.code == 1
    assert "looks like no format" in result.err
    nobody.ok("dataset", "convert", "photos", "meant", "--from", "image_folder")
    result = nobody("dataset", "convert", "photos/annotations.json", "coco")
    assert "read as coco" in result.err
    (nobody.home / "photos" / "annotations.json").unlink()
    (nobody.home / "plain" / "train").mkdir(parents=True)
    (nobody.home / "plain" / "train" / "a.png").write_bytes(
        (nobody.home / "photos/train/cat/0.png").read_bytes()
    )
    assert "no folders of classes" in nobody("dataset", "convert", "plain", "out").err


def test_termination_leaves_nothing_behind(nobody: Person) -> None:
    image_folder(nobody.home / "many", {"train/cat": 400})
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline.cli.main", "dataset", "convert", "many", "out"], cwd=nobody.home
    )
    while process.poll() is None and not list(nobody.home.glob(".out*")):
        time.sleep(0.005)
    process.terminate()
    code = process.wait(30)
    assert not list(nobody.home.glob(".out*"))
    assert (nobody.home / "out").exists() == (code == 0)
    assert code in (0, 143)
