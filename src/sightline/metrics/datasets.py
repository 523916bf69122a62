"""Predictions that are kept in a `Dataset`, compared with its ground truth; without torch."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from sightline.data import Dataset
from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.info import TaskInfo
from sightline.data.primitives import Bbox, Classification, Primitive, Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.errors import SightlineError
from sightline.metrics.coco import BoxTable, evaluate_detections
from sightline.metrics.confusion import classification_numbers, confusion_matrix, segmentation_numbers


def evaluate_dataset(
    dataset: Dataset, predictions: str = "predictions", truth: str | type[Primitive] | None = None
) -> dict[str, float]:
    """Numbers by name, as those of the metric of the task's kind: boxes as
    `sightline.metrics.coco.evaluate_detections`, semantic masks as
    `sightline.metrics.confusion.segmentation_numbers`, and one class an image as
    `sightline.metrics.confusion.classification_numbers`.

    Samples that were not annotated for the truth do not count. Classes are told by their names, so the two
    tasks may have them in different order.

    Args:
        dataset: with the predictions as a task beside the ground truth, as
            `sightline.data.predictions.with_predictions` adds them.
        predictions: the name of that task.
        truth: the task of the ground truth, by name or primitive; by default the only other one of the
            same primitive.

    Raises:
        SightlineError: there are no such tasks, they are of different or other kinds, classes of the
            predictions that the truth does not have, boxes without a confidence, or samples without exactly
            one class.
    """
    predicted_task = dataset.info.task(predictions)
    true_task = _true_task(dataset, truth, predicted_task)
    names = true_task.class_names
    if not names:
        raise SightlineError(f"task '{true_task.name}' lists no classes; give it some to compare by.")
    samples = dataset.samples.filter(pl.col(true_task.primitive.column).is_not_null())
    true, predicted = (_labelled(samples, task, names) for task in (true_task, predicted_task))
    if true_task.primitive is Bbox:
        return evaluate_detections(
            box_table(samples, true), _scored(samples, predicted, predicted_task), names
        )
    if true_task.primitive is Segmentation:
        return segmentation_numbers(_confusion_of_masks(samples, true, predicted, len(names)), names)
    labels, guesses = _one_label(samples, true, true_task), _one_label(samples, predicted, predicted_task)
    confusion = confusion_matrix(labels, guesses, len(names))
    return classification_numbers(confusion[:, : len(names)], names)


def box_table(samples: pl.DataFrame, table: pl.DataFrame) -> BoxTable:
    """The boxes of ``table``, in pixels of their ``samples``.

    Args:
        samples: with ``height`` and ``width``.
        table: an annotation table of boxes, with a ``label`` each. What is a crowd says ``iscrowd`` in its
            ``meta``, as COCO files have it.
    """
    positions = table[POSITION].to_numpy()
    sizes = samples.select("width", "height").to_numpy()[positions].astype(np.float64)
    # Rounded, so that whole pixels are whole again: 32 pixels must not become a little more than small.
    corners = (table.select("top_left_x", "top_left_y").to_numpy() * sizes).round(9)
    extents = (table.select("width", "height").to_numpy() * sizes).round(9)
    crowds = table["meta"].struct.field("json").str.json_path_match("$.iscrowd").is_in(["1", "true"])
    return BoxTable(
        images=positions,
        boxes=np.hstack([corners, corners + extents]),
        labels=table["label"].to_numpy(),
        scores=None if table["confidence"].null_count() else table["confidence"].to_numpy(),
        crowds=crowds.fill_null(value=False).to_numpy(),
        areas=(table["area"].fill_null(np.nan).to_numpy() * sizes.prod(axis=1)).round(6),
    )


def _true_task(dataset: Dataset, truth: str | type[Primitive] | None, predicted: TaskInfo) -> TaskInfo:
    if truth is None:
        others = [
            task
            for task in dataset.info.tasks
            if task.primitive is predicted.primitive and task.name != predicted.name
        ]
        if len(others) != 1:
            names = ", ".join(f"'{task.name}'" for task in others) or "none"
            raise SightlineError(
                f"dataset '{dataset.info.dataset_name}': of the tasks of {predicted.primitive.__name__} "
                f"beside '{predicted.name}' there must be one to compare with, there are: {names}; name it."
            )
        truth = others[0].name
    task = dataset.info.task(truth)
    if task.primitive is not predicted.primitive:
        raise SightlineError(
            f"task '{predicted.name}' is of {predicted.primitive.__name__} and '{task.name}' of "
            f"{task.primitive.__name__}; compare tasks of one kind."
        )
    if task.primitive not in (Bbox, Classification, Segmentation):
        raise SightlineError(
            f"task '{task.name}' is of {task.primitive.__name__}; boxes, classes of images and semantic "
            "masks can be compared."
        )
    return task


def _labelled(samples: pl.DataFrame, task: TaskInfo, names: Sequence[str]) -> pl.DataFrame:
    """The annotations of the task, with ``label``, the index of their class among ``names``."""
    table = annotation_table(samples, task.primitive.column, task.name)
    label = pl.col("class_name").replace_strict(names, range(len(names)), default=None, return_dtype=pl.Int64)
    table = table.with_columns(label.alias("label"))
    unknown = table.filter(pl.col("label").is_null())
    if len(unknown):
        position, name = unknown.select(POSITION, "class_name").row(0)
        raise SightlineError(
            f"{samples['file_path'][position]}: class '{name}' of task '{task.name}' is not a class of the "
            f"ground truth ({', '.join(names)}); map it first (Dataset.map_classes)."
        )
    return table


def _scored(samples: pl.DataFrame, table: pl.DataFrame, task: TaskInfo) -> BoxTable:
    unsure = table.filter(pl.col("confidence").is_null())
    if len(unsure):
        raise SightlineError(
            f"{samples['file_path'][unsure[POSITION][0]]}: {len(unsure)} boxes of task '{task.name}' have no "
            "confidence, by which predictions are ordered; give each one."
        )
    return box_table(samples, table)


def _one_label(samples: pl.DataFrame, table: pl.DataFrame, task: TaskInfo) -> np.ndarray:
    counts = np.bincount(table[POSITION].to_numpy(), minlength=len(samples))
    unclear = np.flatnonzero(counts != 1)
    if len(unclear):
        raise SightlineError(
            f"{samples['file_path'][int(unclear[0])]}: has {counts[unclear[0]]} classes of task "
            f"'{task.name}', expected one ({len(unclear)} such samples); filter the dataset first."
        )
    return table["label"].to_numpy()


def _confusion_of_masks(
    samples: pl.DataFrame, true: pl.DataFrame, predicted: pl.DataFrame, classes: int
) -> np.ndarray:
    total = np.zeros((classes, classes + 1), dtype=np.int64)
    masks = [table.partition_by(POSITION, as_dict=True) for table in (true, predicted)]
    for position, size in enumerate(samples.select("height", "width").rows()):
        true_map, predicted_map = (_class_map(tables.get((position,)), size) for tables in masks)
        total += confusion_matrix(true_map, predicted_map, classes)
    return total


def _class_map(table: pl.DataFrame | None, size: tuple[int, int]) -> np.ndarray:
    """The label of each pixel, -1 where no mask is; where two are, the later one counts."""
    classes = np.full(size, -1, dtype=np.int64)
    if table is not None:
        for label, rle_string in table.select("label", "rle_string").rows():
            classes[decode_mask(rle_string, *size)] = label
    return classes
