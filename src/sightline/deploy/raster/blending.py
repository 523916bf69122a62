"""The weighted mean of overlapping tiles, settled row of tiles by row of tiles.

The mean runs: each tile moves it by ``step * (tile - mean)``, where the step is the weight of the tile by
that of all so far (West, "Updating mean and variance estimates", CACM 22(9), 1979). So where all tiles say
the same, the result is just that, to the last bit, and no class changes by rounding. Only what is not
settled is kept: a few columns of the row of tiles at work, and a few rows over the whole width.
"""

from collections.abc import Iterator

import numpy as np

from sightline.deploy.raster.tiling import Axis

Block = tuple[int, int, np.ndarray]
"""First row, first column and values (channels, height, width) of a part of the result."""


class Blender:
    """Takes the results of tiles in reading order and gives the parts of the image that they settle.

    ``pending`` are the rows of the whole width that the rows of tiles before ``first_row`` have begun, as
    ``pending`` of another blender held them.
    """

    def __init__(self, rows: Axis, columns: Axis, pending: np.ndarray | None = None) -> None:
        self._rows, self._columns = rows, columns
        self._across: np.ndarray | None = None
        self.pending = pending

    def add(self, row: int, column: int, result: np.ndarray | None) -> Iterator[Block]:
        """Take the result of a tile, (channels, height, width), and give what is final now.

        None stands for a tile whose result is of no use, since there is no data where it counts; what it
        settles is not given. ``result`` is neither kept nor changed, the blocks may be views of it.
        """
        low, settled = self._columns.lows[column], self._columns.settled(column)
        if result is None:
            self._across = None
            if self.pending is not None:
                self.pending[:, :, low:settled] = 0
            return
        counts = result[:, _within(self._rows, row), _within(self._columns, column)]
        parts = _blended(self._across, counts, self._columns.step(column), axis=2)
        rest, start = [], low
        for part in parts:
            ready = max(0, min(settled - start, part.shape[2]))
            yield from self._down(row, start, part[:, :, :ready])
            rest.append(part[:, :, ready:])
            start += part.shape[2]
        last = column + 1 == len(self._columns)
        self._across = None if last else np.concatenate(rest, axis=2)

    def _down(self, row: int, left: int, part: np.ndarray) -> Iterator[Block]:
        """The same from row of tiles to row of tiles, for columns that are settled."""
        width = part.shape[2]
        if not width:
            return
        low, settled = self._rows.lows[row], self._rows.settled(row)
        steps = self._rows.step(row)
        before = None if self.pending is None else self.pending[:, : len(steps), left : left + width]
        rest, top = [], low
        for below in _blended(before, part, steps, axis=1):
            ready = max(0, min(settled - top, below.shape[1]))
            if ready:
                yield top, left, below[:, :ready]
            rest.append(below[:, ready:])
            top += below.shape[1]
        self._keep(left, np.concatenate(rest, axis=1) if len(rest) > 1 else rest[0])

    def _keep(self, left: int, rest: np.ndarray) -> None:
        channels, height, width = rest.shape
        if self.pending is None:
            shape = (channels, self._rows.most_pending, self._columns.length)
            self.pending = np.zeros(shape, rest.dtype)
        self.pending[:, :height, left : left + width] = rest


def _within(axis: Axis, index: int) -> slice:
    """Where a tile counts, in its own pixels."""
    start = axis.starts[index]
    return slice(axis.lows[index] - start, axis.highs[index] - start)


def _blended(mean: np.ndarray | None, values: np.ndarray, step: np.ndarray, axis: int) -> list[np.ndarray]:
    """``values``, of which the first move the mean of the tiles before, in one or two pieces."""
    if mean is None or not len(step):
        return [values]
    first, others = np.split(values, [len(step)], axis=axis)
    moved = np.subtract(first, mean)
    moved *= step if axis == 2 else step[:, None]
    moved += mean
    return [moved, others]
