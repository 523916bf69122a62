"""Where the pixels of a dataset's images are: in their files, in a pack, or in RAM."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from sightline.data.loading.decode import read_pixels
from sightline.data.loading.memory import MappedFile, SharedMemory, available_memory
from sightline.data.packed import Pack
from sightline.data.progress import in_parallel
from sightline.errors import SightlineError
from sightline.files import readable_size

FILES, RAM = "files", "ram"
_CHANNELS = 3
_MOST_OF_MEMORY = 0.8  # of what is free; the rest is for the training itself


class Pixels(Protocol):
    """The images of a dataset by position; ``sizes`` holds their height and width, (N, 2)."""

    sizes: np.ndarray

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:
        """One image, uint8 (height, width, 3), writable; put into ``out`` where that is given."""
        ...

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:
        """Images of one size, put into ``out``, uint8 (len(indices), height, width, 3)."""
        ...


def pixels_of(
    samples: pl.DataFrame, paths: Sequence[str], storage: str | Path | Pack, progress: bool
) -> Pixels:
    """The images of the samples, whose files are ``paths``: "files", "ram", or a pack or its folder.

    Raises:
        SightlineError: not one of these, the pack is stale, or there is too little memory.
    """
    files = Files(paths, samples.select("height", "width").to_numpy())
    if storage == FILES:
        return files
    if storage == RAM:
        return _in_memory(files, progress)
    if not isinstance(storage, Pack) and not Path(storage).exists():
        raise SightlineError(
            f"storage '{storage}' is neither '{FILES}' nor '{RAM}' nor the folder of a pack; write one with "
            "dataset.pack(folder)."
        )
    opened = storage if isinstance(storage, Pack) else Pack.open(storage)
    starts, sizes = opened.find(samples)
    return Held(MappedFile(opened.pixels), starts, sizes)


class Files:
    """Each image is read and decoded anew."""

    def __init__(self, paths: Sequence[str], sizes: np.ndarray) -> None:
        self.sizes = sizes
        self._paths = paths

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:  # noqa: D102 (see Pixels)
        height, width = self.sizes[index].tolist()
        return read_pixels(self._paths[index], (height, width), out)

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:  # noqa: D102
        for row, index in zip(out, indices.tolist(), strict=True):
            self.read(index, row)


class Held:
    """Images that lie decoded in one array of bytes, at ``starts``."""

    def __init__(self, holder: SharedMemory | MappedFile, starts: np.ndarray, sizes: np.ndarray) -> None:
        self.sizes = sizes
        self._holder = holder
        self._starts = starts

    def read(self, index: int, out: np.ndarray | None = None) -> np.ndarray:  # noqa: D102 (see Pixels)
        image = self.image(index)
        if out is None:
            return image.copy()
        out[:] = image
        return out

    def read_alike(self, indices: np.ndarray, out: np.ndarray) -> None:  # noqa: D102
        starts, length = self._starts[indices], out[0].size
        if len(self._holder.array) % length or (starts % length).any():
            for row, index in zip(out, indices.tolist(), strict=True):
                row[:] = self.image(index)
            return
        # The bytes are rows of that length and these images are some: gathered without a loop in Python.
        table = self._holder.array.reshape(-1, length)
        np.take(table, starts // length, axis=0, out=out.reshape(len(out), -1), mode="clip")

    def image(self, index: int) -> np.ndarray:
        """The image itself, not a copy of it."""
        height, width = self.sizes[index].tolist()
        start = int(self._starts[index])
        return self._holder.array[start : start + height * width * _CHANNELS].reshape(
            height, width, _CHANNELS
        )


def _in_memory(files: Files, progress: bool) -> Held:
    """All images read now, into memory that workers share.

    Raises:
        SightlineError: they do not fit.
    """
    lengths = files.sizes.prod(axis=1) * _CHANNELS
    total, available = int(lengths.sum()), available_memory()
    if total > available * _MOST_OF_MEMORY:
        raise SightlineError(
            f"the {len(lengths)} images take up {readable_size(total)} decoded, but of memory "
            f"{readable_size(available)} are free; pack them instead, with a smaller size=(height, width) "
            "if need be."
        )
    held = Held(SharedMemory(total), np.cumsum(lengths) - lengths, files.sizes)
    read = in_parallel(
        lambda index: files.read(index, held.image(index)),
        range(len(lengths)),
        "Reading images",
        progress=progress,
    )
    for _ in read:
        pass
    return held
