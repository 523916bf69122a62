"""`BoxTable`: the boxes of many images as flat columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import SightlineError


@dataclass(frozen=True, eq=False)
class BoxTable:
    """One row per box, in any order; an image without boxes has no row.

    Images are known by any integers, the same ones in the ground truth and in the predictions.

    Raises:
        SightlineError: columns of unequal length, or numbers that are not finite.
    """

    images: np.ndarray
    """(N,) integers: the image of each box."""
    boxes: np.ndarray
    """(N, 4): left, top, right, bottom in pixels."""
    labels: np.ndarray
    """(N,) class indices from 0."""
    scores: np.ndarray | None = None
    """(N,) how sure each is, for predictions; 0.0 is a score like any other."""
    crowds: np.ndarray | None = None
    """(N,) bool, for the ground truth: whether a box is around many objects, of which any number may be
    found; None: none is."""
    areas: np.ndarray | None = None
    """(N,) pixels, for the ground truth: the area of each object, by which it is small, medium or large;
    NaN, or None for all: that of its box."""

    def __post_init__(self) -> None:
        count = len(self.images)
        columns = {
            "images": np.asarray(self.images).astype(np.int64, copy=False).reshape(-1),
            "boxes": np.asarray(self.boxes).astype(np.float64, copy=False).reshape(-1, 4),
            "labels": np.asarray(self.labels).astype(np.int64, copy=False).reshape(-1),
        }
        optional = {"scores": np.float64, "crowds": np.bool_, "areas": np.float64}
        for name, dtype in optional.items():
            if getattr(self, name) is not None:
                columns[name] = np.asarray(getattr(self, name)).astype(dtype, copy=False).reshape(-1)
        for name, column in columns.items():
            if len(column) != count:
                raise SightlineError(
                    f"boxes: '{name}' has {len(column)} rows and 'images' {count}; give one for each box."
                )
            if name in ("boxes", "scores") and not np.isfinite(column).all():
                row = int(np.flatnonzero(~np.isfinite(column.reshape(count, -1)).all(axis=1))[0])
                raise SightlineError(
                    f"boxes: '{name}' of row {row} (image {columns['images'][row]}) is {column[row]}, "
                    "which is not finite; see whether the model diverged."
                )
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2): width and height in pixels."""
        return self.boxes[:, 2:] - self.boxes[:, :2]


def check_tables(truth: BoxTable, predicted: BoxTable, classes: Sequence[str]) -> None:
    """Refuse labels that are not among the classes, and predictions without scores."""
    for what, table in (("ground truth", truth), ("predictions", predicted)):
        wrong = (table.labels < 0) | (table.labels >= len(classes))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise SightlineError(
                f"{what}: label {table.labels[row]} of row {row} (image {table.images[row]}) is none of the "
                f"{len(classes)} classes; labels count from 0, without a background class."
            )
    if predicted.scores is None:
        raise SightlineError("predictions: they have no scores; give one for each box.")
