"""Where the pixels of a dataset's images are: in their files, in a pack, or in RAM."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from sightline.data.images import read_bands
from sightline.data.jpeg import read_pixels
from sightline.data.loading.memory import MappedFile, SharedMemory, available_memory
from sightline.data.packed import Pack, refuse_other_size
from sightline.data.progress import in_parallel
from sightline.errors import SightlineError
from sightline.files import readable_size

FILES, RAM = "files", "ram"
_RGB = 3
_MOST_OF_MEMORY = 0.8  # of what is free; the rest is for the training itself


class Pixels(Protocol):
    """The images of a dataset by position.

    ``sizes`` holds their height and width, (N, 2); all have ``channels`` bands of type ``dtype``.
    """

    sizes: np.ndarray
    channels: int
    dtype: np.dtype

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:
        """One image, (height, width, channels), writable; put into ``out`` where that is given."""
        ...

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:
        """Images of one size, put into ``out``, (len(indices), height, width, channels)."""
        ...


def pixels_of(
    samples: pl.DataFrame,
    paths: Sequence[str],
    storage: str | Path | Pack,
    progress: bool,
    bands: Sequence[int] | None = None,
) -> Pixels:
    """The images of the samples, whose files are ``paths``: "files", "ram", or a pack or its folder.

    ``bands``: those of each image in its own type, counted from 1; None for 8-bit RGB.

    Raises:
        SightlineError: not one of these, the pack is stale, or there is too little memory.
    """
    sizes = samples.select("height", "width").to_numpy()
    files = Files(paths, sizes) if bands is None else BandFiles(paths, sizes, bands)
    if storage == FILES:
        return files
    if storage == RAM:
        return _in_memory(files, progress)
    if bands is not None:
        raise SightlineError(f"a pack holds 8-bit RGB, not bands {list(bands)}; choose '{FILES}' or '{RAM}'.")
    if not isinstance(storage, Pack) and not Path(storage).exists():
        raise SightlineError(
            f"storage '{storage}' is neither '{FILES}' nor '{RAM}' nor the folder of a pack; write one with "
            "dataset.pack(folder)."
        )
    opened = storage if isinstance(storage, Pack) else Pack.open(storage)
    starts, sizes = opened.find(samples)
    return Held(MappedFile(opened.pixels), starts, sizes)


class Files:
    """Each image is read and decoded anew, as 8-bit RGB."""

    channels = _RGB
    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[str], sizes: np.ndarray) -> None:
        self.sizes = sizes
        self._paths = paths

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:  # noqa: D102 (see Pixels)
        height, width = self.sizes[index].tolist()
        return read_pixels(self._paths[index], (height, width), out)

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:  # noqa: D102
        for row, index in zip(out, indices.tolist(), strict=True):
            self.read(index, row)


class BandFiles:
    """Bands of each image, read anew in the type that the first image has."""

    def __init__(self, paths: Sequence[str], sizes: np.ndarray, bands: Sequence[int]) -> None:
        self.sizes = sizes
        self.channels = len(bands)
        self._paths, self._bands = paths, list(bands)
        self.dtype = read_bands(paths[0], self._bands).dtype if len(paths) else np.dtype(np.uint8)

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:  # noqa: D102 (see Pixels)
        path, size = self._paths[index], tuple(self.sizes[index].tolist())
        pixels = read_bands(path, self._bands, size)
        refuse_other_size(path, pixels, size)
        if pixels.dtype != self.dtype:
            raise SightlineError(
                f"{path}: is of type {pixels.dtype}, the dataset's first image of {self.dtype}; convert one."
            )
        if out is None:
            return np.ascontiguousarray(pixels)
        out[:] = pixels
        return out

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:  # noqa: D102
        for row, index in zip(out, indices.tolist(), strict=True):
            self.read(index, row)


class Held:
    """Images that lie decoded in one array of bytes, at ``starts``."""

    def __init__(
        self,
        holder: SharedMemory | MappedFile,
        starts: np.ndarray,
        sizes: np.ndarray,
        channels: int = _RGB,
        dtype: np.dtype = Files.dtype,
    ) -> None:
        self.sizes = sizes
        self.channels, self.dtype = channels, dtype
        self._holder = holder
        self._starts = starts

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:  # noqa: D102 (see Pixels)
        image = self.image(index)
        if out is None:
            return image.copy()
        out[:] = image
        return out

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:  # noqa: D102
        starts, length = self._starts[indices], out[0].nbytes
        if len(self._holder.array) % length or (starts % length).any():
            for row, index in zip(out, indices.tolist(), strict=True):
                row[:] = self.image(index)
            return
        # The bytes are rows of that length and these images are some: gathered without a loop in Python.
        table = self._holder.array.reshape(-1, length)
        rows = out.reshape(len(out), -1).view(np.uint8)
        np.take(table, starts // length, axis=0, out=rows, mode="clip")

    def image(self, index: int) -> np.ndarray:
        """The image itself, not a copy of it."""
        height, width = self.sizes[index].tolist()
        start = int(self._starts[index])
        end = start + height * width * self.channels * self.dtype.itemsize
        return self._holder.array[start:end].view(self.dtype).reshape(height, width, self.channels)


def _in_memory(files: Files | BandFiles, progress: bool) -> Held:
    """All images read now, into memory that workers share.

    Raises:
        SightlineError: they do not fit.
    """
    lengths = files.sizes.prod(axis=1) * files.channels * files.dtype.itemsize
    total, available = int(lengths.sum()), available_memory()
    if total > available * _MOST_OF_MEMORY:
        raise SightlineError(
            f"the {len(lengths)} images take up {readable_size(total)} decoded, but of memory "
            f"{readable_size(available)} are free; pack them instead, with a smaller size=(height, width) "
            "if need be."
        )
    starts = np.cumsum(lengths) - lengths
    held = Held(SharedMemory(total), starts, files.sizes, files.channels, files.dtype)
    read = in_parallel(
        lambda index: files.read(index, held.image(index)),
        range(len(lengths)),
        "Reading images",
        progress=progress,
    )
    for _ in read:
        pass
    return held
