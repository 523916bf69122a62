"""Predictions that are kept in a `Dataset`, compared with its ground truth; without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sightline.data import Dataset
from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.info import TaskInfo
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive, Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.errors import SightlineError
from sightline.metrics.coco import BoxTable, evaluate_detections
from sightline.metrics.confusion import classification_numbers, confusion_matrix, segmentation_numbers

_COMPARABLE: dict[type[Primitive], tuple[type[Primitive], ...]] = {
    Classification: (Classification,),
    Bbox: (Bbox, Bitmask, Polygon),
    Segmentation: (Segmentation,),
}
"""By the primitive of predictions, that of what they can be compared with."""


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
            same kind. Boxes are also compared with masks and polygons, by the boxes around those.

    Raises:
        SightlineError: there are no such tasks, they are of different or other kinds, classes of the
            predictions that the truth does not have, boxes without a confidence, or samples without exactly
            one class.
    """
    comparison = Comparison.of(dataset, predictions, truth)
    names = comparison.names
    if comparison.truth.primitive is Segmentation:
        total = np.zeros((len(names), len(names) + 1), dtype=np.int64)
        for true_map, predicted_map in comparison.maps():
            total += confusion_matrix(true_map, predicted_map, len(names))
        return segmentation_numbers(total, names)
    if comparison.truth.primitive is Classification:
        labels, guesses = (
            _one_label(comparison.dataset.samples, table, task)
            for table, task in zip(
                comparison.tables(), (comparison.truth, comparison.predictions), strict=True
            )
        )
        return classification_numbers(confusion_matrix(labels, guesses, len(names))[:, : len(names)], names)
    return evaluate_detections(*comparison.boxes(), names)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two tasks of a dataset: the ground truth, and predictions of the same kind.

    Predicted boxes are also compared with masks and polygons, by the boxes around those.
    """

    dataset: Dataset
    """Its samples that were annotated for the truth; masks and polygons as boxes where those are compared."""
    truth: TaskInfo
    predictions: TaskInfo

    @classmethod
    def of(
        cls, dataset: Dataset, predictions: str, truth: str | type[Primitive] | None = None
    ) -> "Comparison":
        """The comparison of the task ``predictions`` with the task ``truth``; see `evaluate_dataset`."""
        predicted = dataset.info.task(predictions)
        true = true_task(dataset, predicted.primitive, truth, besides=predicted.name)
        samples = dataset.samples.filter(pl.col(true.primitive.column).is_not_null())
        dataset = dataset.replace(samples=samples)
        if predicted.primitive is Bbox and true.primitive is not Bbox:
            dataset = dataset.convert_task(true.name, "Bbox", progress=False)
        comparison = cls(dataset, dataset.info.task(true.name), predicted)
        _ = comparison.names
        return comparison

    @property
    def names(self) -> list[str]:
        """The classes of the truth; labels count them.

        Raises:
            SightlineError: it lists none.
        """
        if not self.truth.class_names:
            raise SightlineError(f"task '{self.truth.name}' lists no classes; give it some to compare by.")
        return self.truth.class_names

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The annotations of the truth and of the predictions, each with its ``label``.

        Raises:
            SightlineError: classes of the predictions that the truth does not have.
        """
        samples = self.dataset.samples
        return labelled(samples, self.truth, self.names), labelled(samples, self.predictions, self.names)

    def boxes(self) -> tuple[BoxTable, BoxTable]:
        """The true and the predicted boxes, whose images are the positions of the samples.

        Raises:
            SightlineError: as `tables`, or predictions without a confidence.
        """
        samples, (true, predicted) = self.dataset.samples, self.tables()
        unsure = predicted.filter(pl.col("confidence").is_null())
        if len(unsure):
            raise SightlineError(
                f"{samples['file_path'][unsure[POSITION][0]]}: {len(unsure)} boxes of task "
                f"'{self.predictions.name}' have no confidence, by which predictions are ordered; give each "
                "one."
            )
        return box_table(samples, true), box_table(samples, predicted)

    def maps(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The true and the predicted label of each pixel, sample by sample; -1 for none.

        Raises:
            SightlineError: as `tables`.
        """
        true, predicted = (table.partition_by(POSITION, as_dict=True) for table in self.tables())
        for position, size in enumerate(self.dataset.samples.select("height", "width").rows()):
            yield _class_map(true.get((position,)), size), _class_map(predicted.get((position,)), size)


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


def true_task(
    dataset: Dataset,
    primitive: type[Primitive],
    truth: str | type[Primitive] | None = None,
    *,
    besides: str | None = None,
) -> TaskInfo:
    """The task that predictions of ``primitive`` are compared with.

    Args:
        dataset: whose task.
        primitive: of the predictions: `Classification`, `Bbox` or `Segmentation`.
        truth: the task, by name or primitive; by default the only one of the same kind.
        besides: the name of the task that holds the predictions.

    Raises:
        SightlineError: there is none, more than one, or it is of another kind.
    """
    comparable = _COMPARABLE.get(primitive)
    if comparable is None:
        raise SightlineError(
            f"{_named(besides)} of {primitive.__name__}; boxes, classes of images and semantic masks can be "
            "compared."
        )
    if truth is None:
        others = [
            task for task in dataset.info.tasks if task.primitive in comparable and task.name != besides
        ]
        if len(others) != 1:
            names = ", ".join(f"'{task.name}'" for task in others) or "none"
            raise SightlineError(
                f"dataset '{dataset.info.dataset_name}': of the tasks of {primitive.__name__} there must be "
                f"one to compare with, there are: {names}; name it."
            )
        return others[0]
    task = dataset.info.task(truth)
    if task.primitive not in comparable:
        raise SightlineError(
            f"{_named(besides)} of {primitive.__name__} and '{task.name}' of {task.primitive.__name__}; "
            "compare tasks of one kind."
        )
    return task


def _named(task: str | None) -> str:
    return "the predictions are" if task is None else f"task '{task}' is"


def labelled(samples: pl.DataFrame, task: TaskInfo, names: Sequence[str]) -> pl.DataFrame:
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


def _one_label(samples: pl.DataFrame, table: pl.DataFrame, task: TaskInfo) -> np.ndarray:
    counts = np.bincount(table[POSITION].to_numpy(), minlength=len(samples))
    unclear = np.flatnonzero(counts != 1)
    if len(unclear):
        raise SightlineError(
            f"{samples['file_path'][int(unclear[0])]}: has {counts[unclear[0]]} classes of task "
            f"'{task.name}', expected one ({len(unclear)} such samples); filter the dataset first."
        )
    return table["label"].to_numpy()


def _class_map(table: pl.DataFrame | None, size: tuple[int, int]) -> np.ndarray:
    """The label of each pixel, -1 where no mask is; where two are, the later one counts."""
    classes = np.full(size, -1, dtype=np.int64)
    if table is not None:
        for label, rle_string in table.select("label", "rle_string").rows():
            classes[decode_mask(rle_string, *size)] = label
    return classes
