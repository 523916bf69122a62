"""Where tiles lie along one side of an image, and how much each counts at each pixel.

Two rules make the result of tiles that of the whole image:

* Tiles are shifted inwards rather than filled up: the last one ends where the image ends, so a model sees a
  border of the image only where there is one, and does there what it would do on the whole image. What lies
  between the first and the last is spaced evenly. Only where the model takes nothing but multiples of a
  number (or a tile of a fixed size) is the image filled up to that size, at its right and lower border, as
  is done for whole images (`RasterSettings.border`). All tiles start at such multiples: a
  model that looks at every 32nd pixel looks at the same ones in every tile.
* What a model says near the inner edges of a tile is not used (`TileSettings.margin`).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from pydantic import Field, model_validator

from sightline.config import Config
from sightline.deploy.raster.blend_windows import BlendWindow, rising


class TileSettings(Config):
    """How an image is cut into tiles for a model, and how their results are blended."""

    tile: int = Field(default=1024, gt=0)
    """Longest side of a tile in pixels. Tiles are made smaller where the same number of them still covers
    the image, unless ``fixed_size``."""
    overlap: float = Field(default=0.125, ge=0, lt=1)
    """Least overlap of neighbouring tiles, as a part of ``tile``; rounded up to ``multiple``."""
    window: BlendWindow = "bartlett-hann"
    """How the weight of a tile rises from its edges."""
    margin: int | None = Field(default=None, ge=0)
    """Pixels at the inner edges of a tile whose result is not used, at most half of the overlap; a quarter of
    it by default. The result is exactly that of the whole image for models that look no further than this."""
    multiple: int = Field(default=32, gt=0)
    """The model takes heights and widths that are multiples of this."""
    fixed_size: bool = False
    """The model takes tiles of ``tile`` x ``tile`` pixels only."""

    @model_validator(mode="after")
    def _fitting(self) -> "TileSettings":
        if self.tile % self.multiple:
            raise ValueError(f"tile: {self.tile} is no multiple of {self.multiple}, which the model takes")
        if self.margin is not None and 2 * self.margin > self.overlap_pixels:
            raise ValueError(
                f"margin: {self.margin} pixels on both sides do not fit into an overlap of "
                f"{self.overlap_pixels} pixels"
            )
        return self

    @property
    def overlap_pixels(self) -> int:
        """The least overlap in pixels, a multiple of ``multiple`` and smaller than the tile."""
        wanted = _up(math.ceil(self.overlap * self.tile), self.multiple)
        return min(wanted, self.tile - self.multiple)

    @property
    def margin_pixels(self) -> int:
        """The margin in pixels."""
        return self.overlap_pixels // 4 if self.margin is None else self.margin


@dataclass(frozen=True)
class Axis:
    """The tiles along one side of an image of ``length`` pixels, from the first to the last.

    Tile k sees the pixels from ``starts[k]`` to ``starts[k] + size`` and counts from ``lows[k]`` to
    ``highs[k]``. Both rise from tile to tile, so what comes before ``lows[k + 1]`` is settled once tile k is
    done. ``padded`` is the length with what is filled up.
    """

    length: int
    padded: int
    size: int
    starts: tuple[int, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    window: BlendWindow
    ramp: int

    @classmethod
    def of(cls, length: int, settings: TileSettings) -> "Axis":
        """The tiles for a side of ``length`` pixels."""
        multiple, overlap = settings.multiple, settings.overlap_pixels
        padded = _up(length, multiple)
        if settings.fixed_size:
            padded = max(padded, settings.tile)
        size = min(settings.tile, padded)
        count = max(1, math.ceil((padded - overlap) / (settings.tile - overlap)))
        if not settings.fixed_size:
            size = _up(math.ceil((padded + (count - 1) * overlap) / count), multiple)
        starts = _evenly((padded - size) // multiple, count, multiple)
        margin = settings.margin_pixels
        lows, highs = [0], []
        for start, following in pairwise(starts):
            excess = start + size - following - overlap
            highs.append(start + size - margin - excess // 2)
            lows.append(following + margin + excess - excess // 2)
        highs.append(length)
        ramp = min(overlap - 2 * margin, size // 2 - margin)
        return cls(length, padded, size, starts, tuple(lows), tuple(highs), settings.window, max(ramp, 0))

    def __len__(self) -> int:
        return len(self.starts)

    def settled(self, index: int) -> int:
        """Up to which pixel the result is final once tile ``index`` is done."""
        return self.lows[index + 1] if index + 1 < len(self) else self.length

    def share(self, index: int) -> np.ndarray:
        """What part of the result at ``lows[index]`` to ``highs[index]`` is from this tile: float64 in (0,
        1].

        The shares of all tiles add up to 1 at each pixel.
        """
        return self._weights[index] / self._sum(index, len(self) - 1)

    def step(self, index: int) -> np.ndarray:
        """How far this tile moves the mean of the tiles before it, from ``lows[index]`` to
        ``highs[index - 1]``: its weight by that of all so far, float32 in (0, 1]."""
        return self._steps[index]

    @cached_property
    def most_pending(self) -> int:
        """The most pixels that are begun but not settled after any tile."""
        return max(high - self.settled(index) for index, high in enumerate(self.highs))

    @cached_property
    def _steps(self) -> list[np.ndarray]:
        steps = [np.zeros(0, np.float32)]
        for index in range(1, len(self)):
            begun = max(0, self.highs[index - 1] - self.lows[index])
            sums = self._sum(index, index)[:begun]
            steps.append((self._weights[index][:begun] / sums).astype(np.float32))
        return steps

    @cached_property
    def _weights(self) -> list[np.ndarray]:
        weights = []
        ramp = rising(self.window, self.ramp)
        for index, (low, high) in enumerate(zip(self.lows, self.highs, strict=True)):
            weight = np.ones(high - low)
            if self.ramp and index > 0:
                weight[: self.ramp] *= ramp
            if self.ramp and index + 1 < len(self):
                weight[-self.ramp :] *= ramp[::-1]
            weights.append(weight)
        return weights

    def _sum(self, index: int, last: int) -> np.ndarray:
        """The weights of the tiles up to ``last`` where tile ``index`` counts."""
        low, high = self.lows[index], self.highs[index]
        total = np.zeros(high - low)
        first = index
        while first > 0 and self.highs[first - 1] > low:
            first -= 1
        for other in range(first, last + 1):
            start, stop = max(low, self.lows[other]), min(high, self.highs[other])
            if start >= stop:
                break
            weight = self._weights[other]
            total[start - low : stop - low] += weight[start - self.lows[other] : stop - self.lows[other]]
        return total


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _evenly(units: int, count: int, multiple: int) -> tuple[int, ...]:
    """``count`` numbers from 0 to ``units``, evenly spaced and rounded, in pixels."""
    if count == 1:
        return (0,)
    return tuple(multiple * ((2 * index * units + count - 1) // (2 * (count - 1))) for index in range(count))
