"""Measuring models of any origin."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sightline.data import Bbox, Classification, Dataset, TaskInfo
from sightline.data.images import write_image
from sightline.data.predictions import ClassMap, ClassScores, Detections, Prediction
from sightline.data.preprocessing import Preprocessing
from sightline.errors import SightlineError
from sightline.metrics import evaluate_dataset
from sightline.reports import benchmark
from tests.reports.scenes import HEIGHT, WIDTH, box, boxed, classified, dataset, images, sample, segmented

PETS = ["cat", "dog", "eel"]


class Says:
    """A model that says the same of every image, or each thing in turn, and remembers what it was given."""

    def __init__(self, *said: Prediction, **known: object) -> None:
        self.said, self.given = said, list[np.ndarray]()
        self.calls: list[int] = []
        for name, value in known.items():
            setattr(self, name, value)

    def predict(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        self.given += images
        self.calls.append(len(images))
        return [self.said[(len(self.given) + number) % len(self.said)] for number in range(len(images))]


def scores(*values: float) -> ClassScores:
    return ClassScores(np.array(values, dtype=np.float32))


def without_predictions(made: Dataset) -> Dataset:
    return made.drop_task("predictions")


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    truth = ["cat", "cat", "dog", "eel", "cat"]
    return without_predictions(classified(tmp_path, truth, [[1, 0, 0]] * 5, PETS))


def test_classes_speed_and_memory(pets: Dataset) -> None:
    model = Says(scores(0.9, 0.1, 0.0))
    result = benchmark(model, pets, batch_size=2)
    assert result.images == 5
    assert result.metrics["accuracy"] == 0.6
    assert result.metrics["recall/dog"] == 0.0
    assert result.headline == ["accuracy", "f1"]
    assert model.calls == [2, 2, 2, 2, 2, 1]  # three to warm up, then all images once
    assert result.images_per_second > 0
    assert list(result.latency_ms) == ["p50", "p90", "p99"]
    assert 0 < result.latency_ms["p50"] <= result.latency_ms["p99"]
    assert result.peak_memory_bytes > 10 << 20
    assert result.memory_of == "process"
    json.dumps(asdict(result))


def test_images_are_those_of_the_files(pets: Dataset) -> None:
    model = Says(scores(1, 0, 0))
    benchmark(model, pets)
    assert [(image == one.read_image()).all() for image, one in zip(model.given[-5:], pets, strict=True)]


def test_classes_in_another_order_are_told_by_their_names(pets: Dataset) -> None:
    model = Says(scores(0.1, 0.0, 0.9), classes=["eel", "dog", "cat"])
    assert benchmark(model, pets).metrics["accuracy"] == 0.6


def test_top_five_where_there_are_more_classes(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(7)]
    made = without_predictions(classified(tmp_path, ["class 0", "class 6"], [[1] + [0] * 6] * 2, names))
    falling = scores(*np.linspace(1, 0, 7))
    result = benchmark(Says(falling), made)
    assert result.metrics["accuracy_top5"] == 0.5
    assert "accuracy_top5" in result.headline


def test_any_number_of_classes(tmp_path: Path) -> None:
    truth = [["cat", "dog"], []]
    samples = [
        sample(path, classifications=[Classification(class_name=name) for name in names])
        for path, names in zip(images(tmp_path, 2), truth, strict=True)
    ]
    made = dataset(samples, TaskInfo.from_class_names(Classification, PETS))
    result = benchmark(Says(scores(0.9, 0.9, 0.1)), made)
    assert result.headline == ["map", "f1", "precision", "recall"]
    assert result.metrics["recall/cat"] == 1.0
    assert result.metrics["precision/cat"] == 0.5


def test_boxes(tmp_path: Path) -> None:
    truth = [[box(2, 2, 10, 10, "cat")], [box(5, 5, 10, 10, "dog")]]
    said = [(box(2, 2, 10, 10, "cat"), 0.9)]
    made = boxed(tmp_path, truth, [said, said], ["cat", "dog"])
    found = Detections(
        np.array([[2, 2, 12, 12]], np.float32), np.array([0.9], np.float32), np.zeros(1, np.int64)
    )
    result = benchmark(Says(found), without_predictions(made))
    expected = evaluate_dataset(made)
    assert {name: result.metrics[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert result.headline[0] == "ap50"


def test_classes_of_pixels(tmp_path: Path) -> None:
    truth = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    truth[10:] = 1
    said = np.zeros_like(truth)
    said[12:] = 1
    made = segmented(tmp_path, [truth, truth], [said, said], ["land", "water"])
    result = benchmark(Says(ClassMap(said.astype(np.uint8))), without_predictions(made))
    assert result.metrics == evaluate_dataset(made)
    assert result.metrics["iou"] == 0.8


def test_rasters_are_given_with_all_bands(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    path = tmp_path / "bands.tif"
    pixels = np.random.default_rng(0).integers(0, 9000, (HEIGHT, WIDTH, 4)).astype(np.uint16)
    write_image(path, pixels)
    made = dataset(
        [sample(str(path), classifications=[Classification(class_name="cat")])],
        TaskInfo.from_class_names(Classification, PETS),
    )
    model = Says(scores(1, 0, 0))
    benchmark(model, made)
    assert (model.given[-1] == pixels).all()
    rgb = Says(scores(1, 0, 0), preprocessing=Preprocessing())
    benchmark(rgb, made)
    assert rgb.given[-1].dtype == np.uint8
    assert rgb.given[-1].shape == (HEIGHT, WIDTH, 3)


def test_samples_that_were_not_annotated_do_not_count(pets: Dataset) -> None:
    samples = pets.samples.with_columns(
        pl.when(pl.int_range(pl.len()) < 2).then(None).otherwise("classifications").alias("classifications")
    )
    assert benchmark(Says(scores(1, 0, 0)), pets.replace(samples=samples)).images == 3


def test_refusals_say_what_does_not_fit(pets: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"gives 2 scores for 3 classes \(cat, dog, eel\)"):
        benchmark(Says(scores(1, 0)), pets)
    with pytest.raises(SightlineError, match="does not know class 'eel'"):
        benchmark(Says(scores(1, 0), classes=["cat", "dog"]), pets)
    boxes = Detections(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.full(1, 3))
    with pytest.raises(SightlineError, match="there must be one to compare with, there are: none"):
        benchmark(Says(boxes), pets)
    with_boxes = dataset([sample(images(tmp_path, 1)[0], bboxes=[])], TaskInfo.from_class_names(Bbox, PETS))
    with pytest.raises(SightlineError, match=r"label 3 for 3 classes .* count from 0"):
        benchmark(Says(boxes), with_boxes)
    with pytest.raises(SightlineError, match="no samples to measure on"):
        benchmark(Says(boxes), with_boxes[:0])

    class Forgets(Says):
        def predict(self, images: Sequence[np.ndarray]) -> list[Prediction]:
            return []

    with pytest.raises(SightlineError, match="gave 0 predictions for 1 images"):
        benchmark(Forgets(), pets)
