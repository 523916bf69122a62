"""Packed images: the pixels of a dataset in one file, which loading then copies from memory.

A pack is a folder beside the dataset, not a dataset: annotations stay where they are. It holds

* ``pixels.bin``: the images as uint8 (height, width, 3), one after the other;
* ``index.parquet``: a row per image: its ``file_path`` (relative to ``root``), the ``size_bytes``,
  ``modified_ns`` and ``sha256`` of the file, its ``height`` and ``width``, and the byte at which its
  pixels ``start``;
* ``pack.json``: ``format``, the ``root`` of the files relative to the pack, and the ``size`` that all
  images were scaled to, or null.

Images are looked up by file, so one pack serves every split and selection of its dataset; one that has
changed since is refused. The file is mapped into memory, so all processes of a machine share one copy.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.images import read_rgb
from sightline.data.progress import in_parallel
from sightline.data.staging import check_target, folder_written_whole
from sightline.errors import SightlineError
from sightline.files import readable_size, sha256_file

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

PACK_FILE = "pack.json"
PIXELS_FILE = "pixels.bin"
_INDEX_FILE = "index.parquet"
_FORMAT = 1
_CHANNELS = 3


@dataclass(frozen=True)
class Pack:
    """A pack that was opened: where each image's pixels lie in the file ``pixels``."""

    folder: Path
    root: str
    size: tuple[int, int] | None
    index: pl.DataFrame

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the pack that `pack` wrote to ``folder``.

        Raises:
            SightlineError: there is none, or it is damaged or of another version.
        """
        folder = Path(folder).absolute()
        try:
            about = json.loads((folder / PACK_FILE).read_text(encoding="utf-8"))
            index = pl.read_parquet(folder / _INDEX_FILE)
            found, size = (folder / PIXELS_FILE).stat().st_size, about["size"]
            pack = cls(
                folder, os.path.normpath(folder / about["root"]), (size[0], size[1]) if size else None, index
            )
            expected = int(pack.pixel_sizes(index).prod(axis=1).sum()) * _CHANNELS
        except FileNotFoundError as error:
            raise SightlineError(
                f"{folder}: is not a pack ({Path(error.filename or '').name} is missing); write one with "
                "dataset.pack(folder)."
            ) from None
        except (ValueError, KeyError, TypeError, OSError, pl.exceptions.PolarsError) as error:
            raise SightlineError(f"{folder}: cannot be read as a pack ({error}); pack it again.") from None
        if about.get("format") != _FORMAT or found != expected:
            raise SightlineError(f"{folder}: is damaged or of another version; pack it again.")
        return pack

    @property
    def pixels(self) -> Path:
        """The file of all pixels."""
        return self.folder / PIXELS_FILE

    def pixel_sizes(self, rows: pl.DataFrame) -> np.ndarray:
        """Height and width that the images of these rows have in the pack, int64 (N, 2)."""
        if self.size is not None:
            return np.tile(np.array(self.size, dtype=np.int64), (len(rows), 1))
        return rows.select("height", "width").to_numpy().astype(np.int64)

    def find(self, samples: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Of each sample, the byte where its pixels start, (N,), and their height and width, (N, 2).

        Raises:
            SightlineError: an image is not in the pack, or its file or size has changed since.
        """
        wanted = samples.select("file_path", "height", "width").with_columns(
            pl.col("file_path").str.strip_prefix(f"{self.root}/").alias("name")
        )
        index = self.index.rename({"height": "packed_height", "width": "packed_width"})
        found = wanted.join(index, left_on="name", right_on="file_path", how="left", maintain_order="left")
        missing = found.filter(pl.col("start").is_null())
        if len(missing):
            raise self._stale(missing["file_path"][0], "is not in", len(missing))
        other = found.filter(
            (pl.col("height") != pl.col("packed_height")) | (pl.col("width") != pl.col("packed_width"))
        )
        if len(other):
            raise self._stale(other["file_path"][0], "has another size in", len(other))
        files = found.unique("name", maintain_order=True).select(
            "file_path", "size_bytes", "modified_ns", "sha256"
        )
        changed = [path for path, *then in files.iter_rows() if _has_changed(path, *then)]
        if changed:
            raise self._stale(changed[0], "has changed since it was put into", len(changed))
        return found["start"].to_numpy(), self.pixel_sizes(found)

    def _stale(self, path: str, problem: str, count: int) -> SightlineError:
        return SightlineError(
            f"{path}: {problem} the pack {self.folder} ({count} such images); pack it again."
        )


def pack(
    dataset: "Dataset",
    folder: str | Path,
    *,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Pack:
    """Write the pixels of all images to the pack ``folder``, for ``TorchDataset(..., storage=folder)``.

    ``size`` is the (height, width) in pixels that every image is scaled to (bilinear, antialiased), the
    way to keep photographs small; without it they keep their own. Pixels take up height x width x 3 bytes.
    The folder appears only when it is complete.

    Raises:
        SightlineError: an image is missing, cannot be read or has another size than its sample says,
            ``folder`` exists (with ``overwrite``: and is not a pack), or the disk is too small.
    """
    target = Path(folder).absolute()
    check_target(target, overwrite=overwrite, marker=PACK_FILE)
    if size is not None and min(size) < 1:
        raise SightlineError(f"size={size}: height and width are at least 1 pixel.")
    frame = dataset.samples.select("file_path", "height", "width")
    if frame["file_path"].null_count():
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has samples without an image file.")
    frame = frame.unique("file_path", keep="first", maintain_order=True)
    paths = frame["file_path"].to_list()
    root = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else str(target)  # noqa: PTH120
    pack = Pack(target, root, size, frame)
    lengths = pack.pixel_sizes(frame).prod(axis=1) * _CHANNELS
    with folder_written_whole(target, overwrite=overwrite, marker=PACK_FILE) as staging:
        _refuse_too_large(int(lengths.sum()), target, staging)
        rows = list(frame.iter_rows())
        states = []
        with (staging / PIXELS_FILE).open("wb") as stream:
            for pixels, state in in_parallel(
                lambda row: _read(row[0], (row[1], row[2]), size), rows, "Packing images", progress=progress
            ):
                stream.write(np.ascontiguousarray(pixels).data)
                states.append(state)
        index = pl.concat(
            [
                frame.with_columns(pl.col("file_path").str.strip_prefix(f"{root}/")),
                pl.DataFrame(
                    states,
                    schema={"size_bytes": pl.Int64, "modified_ns": pl.Int64, "sha256": pl.String},
                    orient="row",
                ),
                pl.DataFrame({"start": np.cumsum(lengths) - lengths}, schema={"start": pl.Int64}),
            ],
            how="horizontal",
        )
        index.write_parquet(staging / _INDEX_FILE)
        about = {"format": _FORMAT, "root": os.path.relpath(root, target), "size": size}
        (staging / PACK_FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return Pack(target, root, size, index)


def refuse_other_size(path: str, pixels: np.ndarray, size: tuple[int, int]) -> None:
    """Raise a `SightlineError` unless the pixels have the (height, width) that the sample says."""
    if pixels.shape[:2] != size:
        raise SightlineError(
            f"{path}: is {pixels.shape[0]} x {pixels.shape[1]} pixels, but the annotations say "
            f"{size[0]} x {size[1]}; write the dataset again."
        )


def _read(
    path: str, pixel_size: tuple[int, int], size: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[int, int, str]]:
    """The pixels to be packed, and the state of the file that they are from."""
    pixels = read_rgb(path, pixel_size)
    refuse_other_size(path, pixels, pixel_size)
    if size is not None and size != pixel_size:
        scaled = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels = np.asarray(scaled)
    state = os.stat(path)  # noqa: PTH116
    with open(path, "rb") as stream:  # noqa: PTH123
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return pixels, (state.st_size, state.st_mtime_ns, digest)


def _has_changed(path: str, size_bytes: int, modified_ns: int, sha256: str) -> bool:
    """Whether the file is another than the one that was packed; a copy of it, with a new time, is not.

    A file that is no longer there has not changed: its pixels are in the pack.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 (twice as fast as Path)
    except FileNotFoundError:
        return False
    if state.st_size != size_bytes:
        return True
    return state.st_mtime_ns != modified_ns and sha256_file(Path(path)) != sha256


def _refuse_too_large(size_bytes: int, target: Path, staging: Path) -> None:
    free = shutil.disk_usage(staging).free
    if size_bytes > free:
        raise SightlineError(
            f"{target}: the pixels take up {readable_size(size_bytes)} but the disk has "
            f"{readable_size(free)} left; give a smaller size=(height, width)."
        )
