"""From outputs of tiles to finished rows of the class map and the scores."""

from typing import NamedTuple

import numpy as np

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster.blending import Blender
from sightline.deploy.raster.deciding import Activation, ScoreType, decide, scores_of
from sightline.deploy.raster.partial import Partial, disk_errors
from sightline.deploy.raster.reading import Step
from sightline.deploy.raster.strips import Strips
from sightline.deploy.raster.tiling import Axis


class Done(NamedTuple):
    """Tiles in reading order, and the model's outputs for those with data: (tiles, channels, height,
    width)."""

    steps: list[Step]
    outputs: np.ndarray


class RowWriter:
    """Blends tiles, decides, and writes each row of tiles as a strip of ``classes`` and, if asked for,
    ``scores`` (whose type is ``uint8`` or ``float32``)."""

    def __init__(
        self,
        rows: Axis,
        columns: Axis,
        partial: Partial,
        activation: Activation,
        classes: Strips,
        scores: Strips | None,
    ) -> None:
        self._rows, self._columns, self._partial = rows, columns, partial
        self._activation: Activation = activation
        self._classes, self._scores = classes, scores
        self._blender = Blender(rows, columns, partial.pending)
        self._class_rows: np.ndarray | None = None
        self._score_rows: np.ndarray | None = None

    def take(self, done: Done) -> None:
        """Blend the tiles in, and write what is finished.

        Raises:
            SightlineError: the disk is full or not writable.
        """
        for step in done.steps:
            if self._class_rows is None:
                self._begin(step.row)
            output = None if step.slot is None else done.outputs[step.slot]
            for top, left, block in self._blender.add(step.row, step.column, output):
                self._fill(top - self._rows.lows[step.row], left, block)
            if step.valid is not None:
                self._end(step.row, step.valid)

    def _begin(self, row: int) -> None:
        shape = self._rows.settled(row) - self._rows.lows[row], self._columns.length
        self._class_rows = np.full(shape, NO_CLASS, np.uint8)
        if self._scores is not None:
            dtype = np.dtype(self._scores.dtype)
            self._score_rows = np.full((self._scores.bands, *shape), no_score(dtype), dtype)

    def _fill(self, top: int, left: int, block: np.ndarray) -> None:
        where = np.s_[top : top + block.shape[1], left : left + block.shape[2]]
        assert self._class_rows is not None
        self._class_rows[where] = decide(block, self._activation)
        if self._scores is not None and self._score_rows is not None:
            score_type: ScoreType = "uint8" if self._scores.dtype == "uint8" else "float32"
            self._score_rows[:, *where] = scores_of(block, self._activation, score_type)

    def _end(self, row: int, valid: np.ndarray) -> None:
        assert self._class_rows is not None
        self._class_rows[~valid] = NO_CLASS
        with disk_errors(self._partial.destination):
            self._classes.write(self._rows.lows[row], self._class_rows[None])
            if self._scores is not None and self._score_rows is not None:
                np.copyto(self._score_rows, no_score(self._score_rows.dtype), where=~valid)
                self._scores.write(self._rows.lows[row], self._score_rows)
            self._partial.finish_row(self._blender.pending)
        self._class_rows = self._score_rows = None


def no_score(dtype: np.dtype) -> float:
    """The nodata value of scores of that type."""
    return NO_CLASS if dtype == np.uint8 else float("nan")
