"""A task that predicts on images that were read by others says what it says when it is measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.config import Component
from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.data.box_selection import BoxSelection
from sightline.data.images import write_image
from sightline.data.predictions import ClassMap, ClassScores, Detections, Prediction
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig
from sightline.errors import SightlineError
from sightline.reports.collecting import Predictions
from sightline.tasks.inference import TaskModel

NAMES = ["a", "b", "c"]
SIZES = [(32, 48), (40, 40), (32, 48), (20, 64), (32, 48)]
TASKS = {
    "classification": (Classification, {"name": "small_resnet", "options": {"width": 8}}),
    "detection": (Bbox, {"name": "light"}),
    "segmentation": (Segmentation, {"name": "small_unet"}),
}
FITS: dict[str, dict[str, Any]] = {
    "stretch": {"size": [32, 64], "fit": "stretch"},
    "letterbox": {"size": [64, 32], "fit": "letterbox"},
    "crop": {"size": [32, 32], "fit": "crop"},
    "pad": {"size": [64, 64], "fit": "pad"},
}


def annotations(kind: str, height: int, width: int) -> dict[str, Any]:
    if kind == "classification":
        return {"classifications": [Classification(class_name="a")]}
    if kind == "detection":
        box = {"left": 2, "top": 3, "width": 12, "height": 9, "image_width": width, "image_height": height}
        return {"bboxes": [Bbox.from_pixels(**box, class_name="b")]}
    mask = np.zeros((height, width), dtype=bool)
    mask[4:12] = True
    return {"bitmasks": [Segmentation.from_mask(mask, class_name="c")]}


def dataset(
    folder: Path, kind: str, sizes: list[tuple[int, int]], suffix: str = ".png", bands: int = 3
) -> Path:
    noise = np.random.default_rng(0)
    folder.mkdir()
    samples = []
    for number, (height, width) in enumerate(sizes):
        path = folder / f"{number}{suffix}"
        coarse = noise.integers(0, 256, (height // 4, width // 4, bands)).astype(np.uint8)
        pixels = coarse.repeat(4, 0).repeat(4, 1)
        if suffix == ".tif":
            write_image(path, pixels.astype(np.uint16) * 200)
        else:
            Image.fromarray(pixels[..., 0] if bands == 1 else pixels).save(path)
        samples.append(
            Sample(
                file_path=str(path),
                height=height,
                width=width,
                split="test",
                **annotations(kind, height, width),
            )
        )
    info = DatasetInfo(dataset_name="made-up", tasks=[TaskInfo.from_class_names(TASKS[kind][0], NAMES)])
    Dataset.from_samples(samples, info).write(folder / "dataset", progress=False)
    return folder / "dataset"


def both_ways(
    path: Path, kind: str, preprocessing: dict[str, Any]
) -> tuple[list[Prediction], list[Prediction]]:
    """The predictions of an untrained model when it is measured, and of images that are read here."""
    settings = {"data": {"dataset": str(path)}, "model": TASKS[kind][1], "preprocessing": preprocessing}
    task = Component(class_path=f"sightline.tasks.{kind.capitalize()}", init_args=settings)
    experiment = Experiment(Spec(name="any", task=task, loader=LoaderConfig(batch_size=2)))
    if kind == "detection":  # without training it is sure of nothing
        experiment.model.selection = BoxSelection(score_threshold=1e-4, max_detections=20)
    measured: list[Prediction] = []

    class Keeps(Predictions):
        def __call__(self, outputs: Any, batch: Any) -> None:
            measured.extend(experiment.task.predictions(outputs, batch[1]))

    samples = experiment.task.samples("test")
    experiment.eval("test", observe=Keeps(experiment.task, samples))
    model = TaskModel(experiment.task, experiment.model, batch_size=2)
    rgb = model.preprocessing.reads_rgb
    return measured, model.predict([one.read_image() if rgb else one.read_bands() for one in samples])


def assert_alike(one: Prediction, other: Prediction) -> None:
    assert type(one) is type(other)
    if isinstance(one, ClassScores):
        assert np.abs(one.scores - other.scores).max() < 1e-5
    elif isinstance(one, Detections):
        assert len(one.boxes) == len(other.boxes) > 0
        assert (one.labels == other.labels).all()
        assert np.abs(one.scores - other.scores).max() < 1e-5
        assert np.abs(one.boxes - other.boxes).max() < 1e-3
    else:
        assert isinstance(one, ClassMap)
        assert one.classes.shape == other.classes.shape
        assert (one.classes == other.classes).mean() > 0.999  # of two equal scores either may be first
        assert np.abs(one.scores - other.scores).max() < 1e-4


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", TASKS)
def test_images_of_any_size(kind: str, fit: str, tmp_path: Path) -> None:
    measured, said = both_ways(dataset(tmp_path / "images", kind, SIZES), kind, FITS[fit])
    assert len(measured) == len(said) == len(SIZES)
    for one, other, size in zip(measured, said, SIZES, strict=True):
        assert_alike(one, other)
        if isinstance(other, ClassMap):
            assert other.classes.shape == size


@pytest.mark.parametrize("kind", TASKS)
def test_images_that_keep_their_size(kind: str, tmp_path: Path) -> None:
    path = dataset(tmp_path / "images", kind, [(32, 64)] * 3)
    for one, other in zip(*both_ways(path, kind, {"multiple": 32}), strict=True):
        assert_alike(one, other)


def test_grey_images_for_a_model_of_colours(tmp_path: Path) -> None:
    path = dataset(tmp_path / "images", "classification", SIZES, bands=1)
    for one, other in zip(*both_ways(path, "classification", FITS["crop"]), strict=True):
        assert_alike(one, other)


def test_some_bands_of_rasters(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    path = dataset(tmp_path / "images", "segmentation", SIZES, ".tif", bands=4)
    two = {"bands": [4, 2], "scale": 65535, "mean": [0.4, 0.5], "std": [0.2, 0.2], **FITS["letterbox"]}
    for one, other in zip(*both_ways(path, "segmentation", two), strict=True):
        assert_alike(one, other)


def test_colours_of_rasters(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    path = dataset(tmp_path / "images", "segmentation", SIZES, ".tif", bands=4)
    measured, said = both_ways(path, "segmentation", FITS["letterbox"])
    for one, other in zip(measured, said, strict=True):
        assert_alike(one, other)


def test_a_band_that_is_missing_is_told(tmp_path: Path) -> None:
    path = dataset(tmp_path / "images", "segmentation", SIZES[:1])
    with pytest.raises(SightlineError, match="image 0: has 3 bands, and the model takes band 4"):
        model_of_four_bands(path).predict([np.zeros((8, 8, 3), dtype=np.uint8)])


def model_of_four_bands(path: Path) -> TaskModel:
    settings = {"bands": [1, 2, 3, 4], "mean": [0.5] * 4, "std": [0.5] * 4}
    arguments = {"data": {"dataset": str(path)}, "preprocessing": settings}
    task = Component(class_path="sightline.tasks.Segmentation", init_args=arguments)
    experiment = Experiment(Spec(name="any", task=task))
    return TaskModel(experiment.task, experiment.model)
