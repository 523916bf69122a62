"""The real `hafnia` package reads and draws what we wrote, and finds the same values in it."""

import hashlib
import importlib.util
import json
import math
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Point,
    Polygon,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.data.schema import PRIMITIVE_COLUMNS
from tests.data.factory import HEIGHT, WIDTH, write_picture
from tests.needs import needs, shared_data

_READER = """
import hashlib, json, sys
from pathlib import Path
from hafnia.dataset.hafnia_dataset import HafniaDataset
from hafnia.dataset.hafnia_dataset_types import Sample

def with_masks(sample, primitives):
    rows = []
    for primitive in primitives or ():
        row = primitive.model_dump(mode="json")
        if hasattr(primitive, "rle_string"):
            mask = primitive.to_mask(img_height=sample.height, img_width=sample.width)
            row["mask"] = hashlib.sha256(mask.astype(bool).tobytes()).hexdigest()
        for name in ("classifications", "bboxes", "bitmasks", "polygons"):
            if getattr(primitive, name, None):
                row[name] = with_masks(sample, getattr(primitive, name))
        rows.append(row)
    return rows

dataset = HafniaDataset.from_path(Path(sys.argv[1]))
if len(sys.argv) > 2:
    dataset.write(Path(sys.argv[2]))
rows = []
for values in dataset:
    sample = Sample(**values)
    image = sample.read_image()
    row = sample.model_dump(mode="json")
    for name in ("classifications", "bboxes", "bitmasks", "polygons"):
        row[name] = with_masks(sample, getattr(sample, name))
    row["drawn"] = sample.draw_annotations().tobytes() != image.tobytes()
    row["pixels"] = hashlib.sha256(image.tobytes()).hexdigest()
    rows.append(row)
tasks = [[task.name, task.primitive.__name__, task.get_class_names()] for task in dataset.info.tasks]
print("READ" + json.dumps({"tasks": tasks, "name": dataset.info.dataset_name, "samples": rows}))
"""


@pytest.fixture(scope="module")
def hafnia() -> Path:
    """The Python of an environment with the package, made once and shared with the benchmarks."""
    path = Path(__file__).parents[2] / "benchmarks" / "peers.py"
    specification = importlib.util.spec_from_file_location("peers", path)
    assert specification
    assert specification.loader
    peers = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(peers)
    try:
        return peers.peer_python("hafnia==0.8.6")
    except (OSError, subprocess.CalledProcessError):
        needs("the hafnia package from PyPI", available=False)
        raise


def _read_by_hafnia(python: Path, folder: Path, *more: Path) -> dict[str, Any]:
    command = [str(python), "-c", _READER, str(folder), *map(str, more)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.rpartition("READ")[2])


def _assert_equal(ours: Any, theirs: dict[str, Any], sample: Sample) -> None:
    """An annotation and all in it, field by field."""
    for field in fields(ours):
        mine, other = getattr(ours, field.name), theirs.get(field.name)
        if field.name in PRIMITIVE_COLUMNS:
            assert len(mine or ()) == len(other or ())
            for inner, theirs_inner in zip(mine or (), other or (), strict=True):
                _assert_equal(inner, theirs_inner, sample)
        elif field.name == "meta":
            assert (json.loads(other["json"]) if other else None) == mine
        elif field.name == "confidence":
            known = None if other is None or math.isnan(other) else other
            assert known == mine
        elif field.name == "points":
            assert [(point["x"], point["y"]) for point in other or ()] == [(x, y) for x, y in mine]
        elif field.name != "rle_string":
            assert other == mine, field.name
    if isinstance(ours, Bitmask):
        mask = np.asarray(ours.to_mask(sample.height, sample.width))
        assert theirs["mask"] == hashlib.sha256(mask.astype(bool).tobytes()).hexdigest()


def _assert_reads_the_same(dataset: Dataset, read: dict[str, Any]) -> None:
    assert read["name"] == dataset.info.dataset_name
    # Its newer versions have no word of their own for a segmentation.
    names = [task.primitive.__name__.replace("Segmentation", "Bitmask") for task in dataset.info.tasks]
    tasks = [
        [task.name, name, task.class_names] for task, name in zip(dataset.info.tasks, names, strict=True)
    ]
    assert read["tasks"] == tasks
    for ours, theirs in zip(dataset, read["samples"], strict=True):
        for name in ("height", "width", "split", "tags", "collection_id", "collection_index", "dataset_name"):
            assert theirs[name] == getattr(ours, name), name
        assert (json.loads(theirs["meta"]["json"]) if theirs["meta"] else None) == ours.meta
        assert theirs["pixels"] == hashlib.sha256(ours.read_image().tobytes()).hexdigest()
        assert theirs["drawn"] == any(True for _ in ours.annotations())
        for column in PRIMITIVE_COLUMNS:
            annotations = getattr(ours, column) or ()
            assert len(theirs[column]) == len(annotations)
            for mine, other in zip(annotations, theirs[column], strict=True):
                _assert_equal(mine, other, ours)


def _everything(folder: Path) -> Dataset:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[2:7, 3:9] = True
    whole = Bitmask.from_mask(mask)
    whole.class_name, whole.confidence = "cat", 0.5
    area = Segmentation.from_mask(~mask)
    area.class_name, area.confidence = "dog", 0.25
    tone = Classification(class_name="pale", task_name="tone", confidence=0.25)
    colour = Classification(
        class_name="grey",
        task_name="colour",
        confidence=0.75,
        classifications=[tone],
        meta={"seen": [1, None]},
    )
    place = {"top_left_x": 0.25, "top_left_y": 0.125, "width": 0.5, "height": 0.5}
    boxes = [
        Bbox(**place, class_name="cat", confidence=0.0, object_id="7", classifications=[colour]),
        Bbox(**place, class_name="dog", confidence=None, meta={"note": 'a "quoted" ö', "deep": {"x": 1.5}}),
        Bbox(**place, class_name="dog", confidence=1.0, ground_truth=False, area=0.25),
    ]
    outline = Polygon(
        points=[Point(0.125, 0.125), Point(0.875, 0.25), Point(0.5, 0.875)],
        class_name="cat",
        confidence=0.5,
        classifications=[colour],
    )
    samples = [
        Sample(
            file_path=str(write_picture(folder / "a.png", 1)),
            height=HEIGHT,
            width=WIDTH,
            split="train",
            tags=["sample", "night"],
            classifications=[Classification(class_name="dog", confidence=0.125)],
            bboxes=boxes,
            bitmasks=[whole, area],
            polygons=[outline],
            meta={"camera": "left", "gain": 2.5},
            collection_id="video 1",
            collection_index=3,
        ),
        Sample(
            file_path=str(write_picture(folder / "b.png", 2)),
            height=HEIGHT,
            width=WIDTH,
            split="test",
            classifications=[],
            bboxes=[],
            bitmasks=[],
            polygons=[],
        ),
    ]
    primitives = (Classification, Bbox, Bitmask, Polygon, Segmentation)
    tasks = [TaskInfo.from_class_names(primitive, ["cat", "dog"]) for primitive in primitives]
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="everything", tasks=tasks))


def test_it_reads_and_draws_all_that_we_write(hafnia: Path, tmp_path: Path) -> None:
    dataset = _everything(tmp_path).write(tmp_path / "set")
    _assert_reads_the_same(dataset, _read_by_hafnia(hafnia, tmp_path / "set"))


@pytest.mark.parametrize("name", ["bccd-mini", "micro-coco-2017"])
def test_real_datasets_go_through_us_and_back(hafnia: Path, tmp_path: Path, name: str) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / name)
    dataset.write(tmp_path / "ours")
    read = _read_by_hafnia(hafnia, tmp_path / "ours", tmp_path / "theirs")
    _assert_reads_the_same(dataset, read)
    again = Dataset.from_path(tmp_path / "theirs")
    assert again.samples.drop("file_path").equals(dataset.samples.drop("file_path"))
    assert again.info.tasks == dataset.info.tasks
