"""What models say of images, and how it is kept: beside the ground truth, as another task of the dataset.

A model of any origin (a trained task, an exported file, a class of one's own) gives these, so that all are
judged, drawn and stored in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, with_annotations
from sightline.data.dataset import Dataset
from sightline.data.info import ClassInfo, TaskInfo
from sightline.data.primitives import Bbox, Classification, Primitive, Segmentation
from sightline.data.primitives.rle import encode_mask
from sightline.errors import SightlineError

NO_CLASS = 255
"""The value in a `ClassMap` of pixels that belong to no class."""


@dataclass(frozen=True)
class ClassScores:
    """One image's classes: ``scores`` 0..1 by class index, float32 (classes,)."""

    scores: np.ndarray


@dataclass(frozen=True)
class Detections:
    """One image's objects, the surest first.

    ``boxes`` float32 (N, 4): left, top, right, bottom in pixels of the image; ``scores`` 0..1, float32 (N,);
    ``labels`` class indices, int64 (N,); ``tracks`` int64 (N,), the same number for the same object in all
    frames of a video, or None where objects are not followed.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    tracks: np.ndarray | None = None


@dataclass(frozen=True)
class ClassMap:
    """One image's pixels: ``classes`` uint8 (height, width) of class indices, `NO_CLASS` where there is none.

    ``scores`` 0..1, float32 (height, width), how sure each is, or None.
    """

    classes: np.ndarray
    scores: np.ndarray | None = None


Prediction = ClassScores | Detections | ClassMap


class InferenceModel(Protocol):
    """What `sightline benchmark` scores: anything that predicts."""

    def predict(self, images: Sequence[np.ndarray]) -> Sequence[Prediction]:
        """What it says of each image, which is (height, width, bands) as read from its file."""
        ...


_PRIMITIVE_OF: dict[type, type[Primitive]] = {
    ClassScores: Classification,
    Detections: Bbox,
    ClassMap: Segmentation,
}


def with_predictions(
    dataset: Dataset,
    predictions: Sequence[Prediction],
    class_names: Sequence[str],
    name: str = "predictions",
    *,
    threshold: float | None = None,
) -> Dataset:
    """``dataset`` with what a model says of its samples, one by one, as another task called ``name``.

    A task of that name that is there already is replaced. Annotations have ``ground_truth`` False.

    Args:
        dataset: what was predicted on.
        predictions: one for each sample, all of one kind.
        class_names: of the classes that the predictions count.
        threshold: for classes of an image: keep each whose score reaches it (several labels an image);
            by default the likeliest one, whatever its score.

    Raises:
        SightlineError: not one prediction for each sample, or ``name`` is that of the ground truth.
    """
    if len(predictions) != len(dataset):
        raise SightlineError(
            f"there are {len(predictions)} predictions for {len(dataset)} samples; give one for each sample."
        )
    primitive = _PRIMITIVE_OF[type(predictions[0])] if len(predictions) else Classification
    present = [task for task in dataset.info.tasks if task.name == name]
    if present and _has_truth(dataset, present[0]):
        raise SightlineError(f"task '{name}' holds the ground truth; give the predictions another name.")
    table = _table(dataset, predictions, list(class_names), threshold).with_columns(
        task_name=pl.lit(name), ground_truth=pl.lit(value=False)
    )
    task = TaskInfo(primitive=primitive, name=name, classes=[ClassInfo(name=one) for one in class_names])
    others = [one for one in dataset.info.tasks if one.name != name]
    samples = dataset.samples
    column = primitive.column
    before = annotation_table(samples, column).filter(pl.col("task_name") != name)
    unannotated = samples[column].is_null()
    merged = pl.concat([before, table], how="diagonal_relaxed").sort(POSITION, maintain_order=True)
    if unannotated.any():
        # A sample that was not annotated now has predictions, or was looked at and has none.
        empty = pl.lit(pl.Series([[]], dtype=samples.schema[column]))
        samples = samples.with_columns(pl.col(column).fill_null(empty))
    samples = with_annotations(samples, column, merged)
    info = dataset.info.model_copy(update={"tasks": [*others, task]})
    return dataset.replace(info=info, samples=samples)


def _has_truth(dataset: Dataset, task: TaskInfo) -> bool:
    return bool(annotation_table(dataset.samples, task.primitive.column, task.name)["ground_truth"].any())


def _table(
    dataset: Dataset, predictions: Sequence[Prediction], names: list[str], threshold: float | None
) -> pl.DataFrame:
    """One row per annotation, by `POSITION`."""
    rows: list[pl.DataFrame] = []
    sizes = dataset.samples.select("height", "width").rows()
    for position, (prediction, size) in enumerate(zip(predictions, sizes, strict=True)):
        if isinstance(prediction, ClassScores):
            columns = _classification_columns(prediction, threshold)
        elif isinstance(prediction, Detections):
            columns = _box_columns(prediction, *size)
        else:
            columns = _mask_columns(prediction, *size)
        if len(columns["class_idx"]):
            rows.append(pl.DataFrame({POSITION: np.full(len(columns["class_idx"]), position), **columns}))
    if not rows:
        return pl.DataFrame(schema={POSITION: pl.UInt32, "class_idx": pl.Int64, "class_name": pl.String})
    table = pl.concat(rows).with_columns(pl.col(POSITION).cast(pl.UInt32))
    return table.with_columns(
        pl.col("class_idx")
        .replace_strict(range(len(names)), names, return_dtype=pl.String)
        .alias("class_name")
    )


def _classification_columns(prediction: ClassScores, threshold: float | None) -> dict[str, np.ndarray]:
    scores = prediction.scores
    chosen = np.array([scores.argmax()]) if threshold is None else np.flatnonzero(scores >= threshold)
    return {"class_idx": chosen.astype(np.int64), "confidence": scores[chosen].astype(np.float64)}


def _box_columns(prediction: Detections, height: int, width: int) -> dict[str, np.ndarray]:
    scale = np.array([width, height, width, height], dtype=np.float64)
    boxes = (prediction.boxes.astype(np.float64) / scale).clip(0, 1)
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    tracks = prediction.tracks
    followed = {} if tracks is None else {"object_id": tracks.astype(str)}
    return followed | {
        "class_idx": prediction.labels.astype(np.int64),
        "confidence": prediction.scores.astype(np.float64),
        "top_left_x": boxes[:, 0],
        "top_left_y": boxes[:, 1],
        "width": wide,
        "height": high,
        "area": wide * high,
    }


def _mask_columns(prediction: ClassMap, height: int, width: int) -> dict[str, list[object]]:
    """A mask for each class that is there, as COCO RLE of the whole image."""
    classes = prediction.classes
    assert classes.shape == (height, width), (
        f"a class map of {classes.shape} for an image of {(height, width)}"
    )
    columns: dict[str, list[object]] = {name: [] for name in _MASK_FIELDS}
    for label in np.unique(classes[classes != NO_CLASS]).tolist():
        mask = classes == label
        rows, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        values = (
            label,
            None if prediction.scores is None else float(prediction.scores[mask].mean()),
            int(rows[0]),
            int(across[0]),
            int(rows[-1] - rows[0] + 1),
            int(across[-1] - across[0] + 1),
            encode_mask(mask),
            float(mask.mean()),
        )
        for name, value in zip(_MASK_FIELDS, values, strict=True):
            columns[name].append(value)
    return columns


_MASK_FIELDS = ("class_idx", "confidence", "top", "left", "height", "width", "rle_string", "area")
