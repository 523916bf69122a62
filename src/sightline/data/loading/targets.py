"""The annotations of one task as tensors, by sample.

They are taken out of the frame once, into flat arrays: workers then neither copy objects nor touch
polars after a fork.
"""

from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image, ImageDraw
from torchvision import tv_tensors

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.info import TaskInfo
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive, Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.errors import SightlineError

IGNORE_INDEX = 255
"""The value in a semantic mask of pixels that belong to no class, which losses leave out."""

Target = dict[str, Any]


class TaskTargets:
    """What a model is to say of each sample, for one task; see `TorchDataset` for the tensors."""

    def __init__(
        self, samples: pl.DataFrame, task: TaskInfo, pixel_sizes: np.ndarray, *, multi_label: bool
    ) -> None:
        """Take the annotations of ``task``; ``pixel_sizes`` are the images' as loaded, (N, 2).

        Raises:
            SightlineError: a classification without exactly one label (with ``multi_label``: a sample
                that was not annotated), or a label that is not one of the task's classes.
        """
        self.task = task
        self._pixel_sizes = pixel_sizes
        self._sizes = samples.select("height", "width").to_numpy()
        table = _labelled(samples, task)
        self._labels = table["label"].to_numpy().astype(np.int64)
        counts = np.bincount(table[POSITION].to_numpy(), minlength=len(samples))
        self._ends = np.cumsum(counts)
        self._regions = _regions(table, task.primitive)
        self._classes = len(task.classes or ()) if multi_label else None
        if task.primitive is Classification:
            if multi_label:
                self._refuse_unannotated(samples)
            else:
                self._refuse_unclear(samples, counts)
        if task.primitive is Segmentation and len(task.classes or ()) > IGNORE_INDEX:
            raise SightlineError(
                f"task '{task.name}' has more than {IGNORE_INDEX} classes, too many for a mask."
            )

    def of(self, index: int) -> Target:
        """The target of one sample."""
        rows = slice(self._ends[index - 1] if index else 0, self._ends[index])
        if self.task.primitive is Classification:
            return {"label": self._label(rows)}
        labels = torch.from_numpy(self._labels[rows].copy())
        height, width = self._pixel_sizes[index].tolist()
        regions = self._regions[rows]
        if self.task.primitive is Bbox:
            return {"boxes": _boxes(np.asarray(regions), height, width), "labels": labels}
        masks = np.zeros((len(regions), height, width), dtype=np.uint8)
        for mask, region in zip(masks, regions, strict=True):
            mask[:] = _mask(region, self._sizes[index].tolist(), (height, width))
        if self.task.primitive is Segmentation:
            semantic = np.full((height, width), IGNORE_INDEX, dtype=np.uint8)
            for mask, label in zip(masks, self._labels[rows], strict=True):
                semantic[mask != 0] = label
            return {"mask": tv_tensors.Mask(torch.from_numpy(semantic))}
        return {
            "masks": tv_tensors.Mask(torch.from_numpy(masks)),
            "boxes": _boxes_around(masks),
            "labels": labels,
        }

    def _label(self, rows: slice) -> torch.Tensor:
        if self._classes is None:
            return torch.tensor(self._labels[rows.start])
        present = torch.zeros(self._classes)
        present[self._labels[rows]] = 1
        return present

    def _refuse_unclear(self, samples: pl.DataFrame, counts: np.ndarray) -> None:
        unclear = np.flatnonzero(counts != 1)
        if len(unclear):
            first = int(unclear[0])
            raise SightlineError(
                f"{samples['file_path'][first]}: has {counts[first]} labels of task '{self.task.name}', "
                f"expected one ({len(unclear)} such samples); filter the dataset first, or load it with "
                "multi_label=True."
            )

    def _refuse_unannotated(self, samples: pl.DataFrame) -> None:
        if not self._classes:
            raise SightlineError(
                f"task '{self.task.name}' lists no classes, so there is no multi_label for it."
            )
        unannotated = samples.filter(pl.col(Classification.column).is_null())["file_path"]
        if len(unannotated):
            raise SightlineError(
                f"{unannotated[0]}: was not annotated for task '{self.task.name}' ({len(unannotated)} such "
                "samples), which is not the same as having none of its labels; filter the dataset first."
            )


def _labelled(samples: pl.DataFrame, task: TaskInfo) -> pl.DataFrame:
    """One row per annotation of the task that is not a prediction, with its ``label``."""
    table = annotation_table(samples, task.primitive.column, task.name).filter(pl.col("ground_truth"))
    names = task.class_names
    if names is None:
        label = pl.col("class_idx")
    else:
        by_name = pl.col("class_name").replace_strict(
            names, range(len(names)), default=None, return_dtype=pl.Int64
        )
        known_index = pl.when(pl.col("class_idx").is_between(0, len(names) - 1)).then("class_idx")
        label = pl.when(pl.col("class_name").is_null()).then(known_index).otherwise(by_name)
    table = table.with_columns(label.alias("label"))
    unlabelled = table.filter(pl.col("label").is_null())
    if len(unlabelled):
        position, name, number = unlabelled.select(POSITION, "class_name", "class_idx").row(0)
        raise SightlineError(
            f"{samples['file_path'][position]}: class '{number if name is None else name}' is not a class of "
            f"task '{task.name}' ({', '.join(names or ()) or 'which lists none'})."
        )
    return table


def _regions(table: pl.DataFrame, primitive: type[Primitive]) -> Any:
    if primitive is Bbox:
        return table.select("top_left_x", "top_left_y", "width", "height").to_numpy()
    if issubclass(primitive, Bitmask):
        return table["rle_string"].to_list()
    if primitive is Polygon:
        return [
            np.array([(p["x"], p["y"]) for p in points]).reshape(-1, 2)
            for points in table["points"].to_list()
        ]
    return None


def _boxes(fractions: np.ndarray, height: int, width: int) -> tv_tensors.BoundingBoxes:
    corners = np.concatenate([fractions[:, :2], fractions[:, :2] + fractions[:, 2:]], axis=1)
    pixels = corners.clip(0, 1) * np.array([width, height, width, height])
    return _bounding_boxes(pixels, height, width)


def _boxes_around(masks: np.ndarray) -> tv_tensors.BoundingBoxes:
    count, height, width = masks.shape
    boxes = np.zeros((count, 4))
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return _bounding_boxes(boxes, height, width)


def _bounding_boxes(pixels: np.ndarray, height: int, width: int) -> tv_tensors.BoundingBoxes:
    data = torch.from_numpy(pixels.astype(np.float32))
    return tv_tensors.BoundingBoxes(  # pyright: ignore[reportCallIssue] (torch stubs hide its __new__)
        data, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=(height, width)
    )


def _mask(region: str | np.ndarray, size: list[int], pixel_size: tuple[int, int]) -> np.ndarray:
    """The region as a mask of ``pixel_size``; an RLE is of the ``size`` of the image as annotated."""
    height, width = pixel_size
    if isinstance(region, str):
        mask = decode_mask(region, size[0], size[1])
        if tuple(size) == pixel_size:
            return mask
        return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
    image = Image.new("L", (width, height), 0)
    if len(region) > 2:
        points = [(float(x) * width, float(y) * height) for x, y in region]
        ImageDraw.Draw(image).polygon(points, fill=1)
    return np.asarray(image)
