"""Mean, deviation and range of each band over all images: what images are normalised with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.data.progress import in_parallel
from sightline.data.sample import Sample
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


@dataclass(frozen=True)
class ChannelStatistics:
    """One number per band, over all pixels that hold data.

    Values are fractions of the type's range, so that 1.0 is 255 in images of 8 bits and 65535 in those
    of 16, as torch's transforms expect them; floating-point images keep their own units. ``std`` is that
    of the population (divided by the number of pixels).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    valid_pixels: tuple[int, ...]
    images: int


def channel_statistics(
    dataset: "Dataset",
    max_samples: int | None = None,
    bands: Sequence[int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> ChannelStatistics:
    """Mean, standard deviation, minimum and maximum of each band, reading each image once.

    Pixels without data (nodata, masked, transparent, NaN) do not count. Memory does not grow with the
    number of images.

    Args:
        dataset: stays as it is.
        max_samples: read only so many images, drawn at random by ``seed``; None for all.
        bands: counted from 1; None for all, which all images must have in the same number.
        seed: of the draw.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no samples, no pixel with data, images of different bands or types, or one that is
            missing or cannot be read.
    """
    name = dataset.info.dataset_name
    if max_samples is not None and max_samples < 1:
        raise SightlineError(f"max_samples is {max_samples}; give a number from 1 up, or None for all.")
    frame = dataset.samples
    if max_samples is not None and max_samples < len(frame):
        frame = frame.sample(max_samples, seed=seed)
    if not len(frame):
        raise SightlineError(f"dataset '{name}' has no samples, so there is nothing to measure.")
    keys = ["file_path", "height", "width", "storage_format", "collection_index", "sample_index"]
    rows = frame.select(keys).rows(named=True)

    def measure(row: dict) -> tuple[str, np.dtype, "_Moments"]:
        sample = Sample(**row)
        pixels, valid = sample.read_bands(bands), sample.read_valid()
        return str(sample.file_path), pixels.dtype, _Moments.of(pixels, valid)

    total, first = None, None
    for path, dtype, moments in in_parallel(measure, rows, "Measuring images", progress=progress):
        if total is None or first is None:
            total, first = moments, (path, dtype)
            continue
        if (len(moments.count), dtype) != (len(total.count), first[1]):
            raise SightlineError(
                f"{path}: has {len(moments.count)} bands of {dtype}, but {first[0]} has {len(total.count)} "
                f"of {first[1]}; measure images of one kind, or choose bands that all have."
            )
        total = total.joined(moments)
    assert total is not None
    assert first is not None
    if not total.count.all():
        raise SightlineError(f"dataset '{name}' has a band without any pixel that holds data.")
    unit = np.iinfo(first[1]).max if first[1].kind in "iu" else 1
    return ChannelStatistics(
        mean=_numbers(total.mean / unit),
        std=_numbers(np.sqrt(total.squares / total.count) / unit),
        minimum=_numbers(total.low / unit),
        maximum=_numbers(total.high / unit),
        valid_pixels=tuple(int(count) for count in total.count),
        images=len(frame),
    )


@dataclass(frozen=True)
class _Moments:
    """Of each band: how many pixels, their mean, the squares of their distances from it, and their range."""

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, valid: np.ndarray) -> "_Moments":
        """Those of an image, (height, width, bands)."""
        parts = [_of_band(pixels[..., band], valid) for band in range(pixels.shape[2])]
        return cls(*(np.array(numbers, dtype=np.float64) for numbers in zip(*parts, strict=True)))

    def joined(self, other: "_Moments") -> "_Moments":
        """Those of both (Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm", 1979)."""
        count = self.count + other.count
        share = np.divide(other.count, count, out=np.zeros_like(count), where=count > 0)
        apart = other.mean - self.mean
        return _Moments(
            count=count,
            mean=self.mean + apart * share,
            squares=self.squares + other.squares + apart**2 * self.count * share,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
        )


def _of_band(band: np.ndarray, valid: np.ndarray) -> tuple[float, float, float, float, float]:
    values = band.ravel() if valid.all() else band[valid]
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        return 0, 0, 0, np.inf, -np.inf
    if values.dtype == np.uint8:  # counting them is exact, and several times as fast
        counts = np.bincount(values, minlength=256)
        levels = np.flatnonzero(counts)
        counts = counts[levels]
        mean = float(counts @ levels / len(values))
        return len(values), mean, float(counts @ (levels - mean) ** 2), float(levels[0]), float(levels[-1])
    mean = float(values.mean(dtype=np.float64))
    squares = float(((values - mean) ** 2).sum())
    return len(values), mean, squares, float(values.min()), float(values.max())


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
