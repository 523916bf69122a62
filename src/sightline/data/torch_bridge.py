"""A `Dataset` as a map-style PyTorch dataset, for torchvision's transforms v2 and `DataLoader`.

What an item needs is taken out of the frame once, into flat arrays: workers then neither copy objects
nor touch polars after a fork.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image, ImageDraw
from torch.utils.data import Dataset as TorchMapDataset
from torch.utils.data import default_collate
from torchvision import tv_tensors

from sightline.data.dataset import Dataset
from sightline.data.images import read_rgb
from sightline.data.info import TaskInfo
from sightline.data.primitives import (
    Bbox,
    Bitmask,
    Classification,
    Polygon,
    Primitive,
    Segmentation,
)
from sightline.data.primitives.rle import decode_mask
from sightline.errors import SightlineError

IGNORE_INDEX = 255
"""The value in a semantic mask of pixels that belong to no class, which losses leave out."""

Target = dict[str, Any]
Transform = Callable[[tv_tensors.Image, Target], tuple[Any, Target]]


class TorchDataset(TorchMapDataset[tuple[Any, Target]]):
    """Items are ``(image, target)``.

    ``image`` is a ``tv_tensors.Image``, uint8 of shape (3, height, width). ``target`` depends on the
    primitive of the task:

    * Classification: ``label``, an int64 scalar.
    * Bbox: ``boxes``, ``tv_tensors.BoundingBoxes`` XYXY in pixels, float32 (N, 4), clipped to the image;
      ``labels``, int64 (N,).
    * Bitmask, Polygon: ``masks``, ``tv_tensors.Mask`` uint8 (N, height, width) of 0 and 1; ``boxes`` around
      them; ``labels``.
    * Segmentation: ``mask``, ``tv_tensors.Mask`` uint8 (height, width) of class indices, `IGNORE_INDEX`
      where no class is.

    Predictions (``ground_truth`` is False) are left out. ``transforms`` is called with both.
    """

    def __init__(
        self,
        dataset: Dataset,
        transforms: Transform | None = None,
        task: str | type[Primitive] | None = None,
    ) -> None:
        """Take ``dataset``'s only task, or the one of that name, or the only one of that primitive.

        Raises:
            SightlineError: it is not clear which task is meant, a sample has no label (or, for a
                classification, several), or a label is not one of the task's classes.
        """
        self.task = dataset.info.task(task)
        self.transforms = transforms
        frame = dataset.samples
        if frame["file_path"].null_count():
            raise SightlineError(f"dataset '{dataset.info.dataset_name}' has samples without an image file.")
        self._paths = frame["file_path"].to_list()
        self._sizes = frame.select("height", "width").to_numpy()
        flat = _annotations_of_task(frame, self.task)
        self._labels = flat["label"].to_numpy().astype(np.int64)
        counts = np.bincount(flat["position"].to_numpy(), minlength=len(frame))
        self._ends = np.cumsum(counts)
        self._regions = _regions(flat, self.task.primitive)
        if self.task.primitive is Classification:
            self._refuse_unclear_labels(counts)
        if self.task.primitive is Segmentation and len(self.task.classes or ()) > IGNORE_INDEX:
            raise SightlineError(
                f"task '{self.task.name}' has more than {IGNORE_INDEX} classes, too many for a mask."
            )

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, by label."""
        return self.task.class_names or []

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[Any, Target]:
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of a dataset of {len(self)}")
        height, width = map(int, self._sizes[index])
        pixels = read_rgb(self._paths[index], (height, width))
        if pixels.shape[:2] != (height, width):
            raise SightlineError(
                f"{self._paths[index]}: is {pixels.shape[0]} x {pixels.shape[1]} pixels, but the annotations "
                f"say {height} x {width}; write the dataset again."
            )
        image = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
        target = self._target(index, height, width)
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def _target(self, index: int, height: int, width: int) -> Target:
        rows = slice(self._ends[index - 1] if index else 0, self._ends[index])
        labels = torch.from_numpy(self._labels[rows].copy())
        if self.task.primitive is Classification:
            return {"label": labels[0]}
        regions = self._regions[rows]
        if self.task.primitive is Bbox:
            return {"boxes": _boxes(np.asarray(regions), height, width), "labels": labels}
        masks = np.zeros((len(regions), height, width), dtype=np.uint8)
        for mask, region in zip(masks, regions, strict=True):
            mask[:] = _mask(region, height, width)
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

    def _refuse_unclear_labels(self, counts: np.ndarray) -> None:
        unclear = np.flatnonzero(counts != 1)
        if len(unclear):
            first = int(unclear[0])
            raise SightlineError(
                f"{self._paths[first]}: has {counts[first]} labels of task '{self.task.name}', expected one "
                f"({len(unclear)} such samples); filter the dataset first."
            )


def collate(items: Sequence[tuple[Any, Target]]) -> tuple[torch.Tensor, Target]:
    """A batch of items: images stacked, and of the targets ``label`` and ``mask``; the rest as lists.

    Raises:
        SightlineError: the images differ in size.
    """
    images = [image for image, _ in items]
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise SightlineError(
            f"a batch holds images of the shapes {sorted(shapes)}; resize or crop them by a transform."
        )
    targets: Target = {}
    for key in items[0][1]:
        values = [target[key] for _, target in items]
        targets[key] = default_collate(values) if key in ("label", "mask") else values
    return torch.stack(images), targets


def _annotations_of_task(frame: pl.DataFrame, task: TaskInfo) -> pl.DataFrame:
    """One row per annotation of the task: ``position`` of its sample, ``label``, and its own fields."""
    column = task.primitive.column
    flat = (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("position"), "file_path", column)
        .filter(pl.col(column).list.len() > 0)
        .explode(column)
        .unnest(column)
        .filter((pl.col("task_name") == task.name) & pl.col("ground_truth"))
    )
    names = task.class_names
    if names is None:
        label = pl.col("class_idx")
    else:
        by_name = pl.col("class_name").replace_strict(
            names, range(len(names)), default=None, return_dtype=pl.Int64
        )
        known_index = pl.when(pl.col("class_idx").is_between(0, len(names) - 1)).then("class_idx")
        label = pl.when(pl.col("class_name").is_null()).then(known_index).otherwise(by_name)
    flat = flat.with_columns(label.alias("label"))
    unlabelled = flat.filter(pl.col("label").is_null())
    if len(unlabelled):
        path, name, number = unlabelled.select("file_path", "class_name", "class_idx").row(0)
        raise SightlineError(
            f"{path}: class '{name if name is not None else number}' is not a class of task '{task.name}' "
            f"({', '.join(names or ()) or 'which lists none'})."
        )
    return flat


def _regions(flat: pl.DataFrame, primitive: type[Primitive]) -> Any:
    if primitive is Bbox:
        return flat.select("top_left_x", "top_left_y", "width", "height").to_numpy()
    if issubclass(primitive, Bitmask):
        return flat["rle_string"].to_list()
    if primitive is Polygon:
        return [
            np.array([(p["x"], p["y"]) for p in points]).reshape(-1, 2) for points in flat["points"].to_list()
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


def _mask(region: str | np.ndarray, height: int, width: int) -> np.ndarray:
    if isinstance(region, str):
        return decode_mask(region, height, width)
    image = Image.new("L", (width, height), 0)
    if len(region) > 2:
        points = [(float(x) * width, float(y) * height) for x, y in region]
        ImageDraw.Draw(image).polygon(points, fill=1)
    return np.asarray(image)
