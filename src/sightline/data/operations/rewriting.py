"""New image files in place of a dataset's: each file is worked on once, and stored by its content."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.progress import in_parallel
from sightline.data.storage import check_images_exist
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}

Rewrite = Callable[[Path, tuple[int, int], list[int]], tuple[bytes, str]]
"""From an image's path, its (height, width) and the rows of its samples to the new file's content and
suffix."""


def with_new_images(
    dataset: "Dataset", folder: Path, rewrite: Rewrite, label: str, progress: bool
) -> pl.DataFrame:
    """The samples with the files that ``rewrite`` makes, in ``folder``; sizes are left as they are.

    A file that cannot be made ends it, and what was stored until then is removed.

    Raises:
        SightlineError: an image is missing or a video, or as ``rewrite`` says.
    """
    frame = dataset.samples
    if frame["file_path"].null_count():
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has samples without an image file.")
    videos = frame.filter(pl.col("storage_format") != "image")["file_path"]
    if len(videos):
        raise SightlineError(f"{videos[0]}: not an image file; extract the frames of videos first.")
    check_images_exist(frame)
    folder = folder.absolute()
    images = (
        frame.select("file_path", "height", "width", row=pl.int_range(pl.len()))
        .group_by("file_path", "height", "width", maintain_order=True)
        .agg("row")
    )
    stored: set[Path] = set()

    def work(number: int) -> str:
        path, height, width, rows = images.row(number)
        return str(_store(folder, *rewrite(Path(path), (height, width), rows), stored))

    try:
        paths = list(in_parallel(work, range(len(images)), label, progress=progress))
    except BaseException:
        for path in stored:
            path.unlink(missing_ok=True)
        raise
    new_paths = images.select("row", pl.Series("file_path", paths, pl.String)).explode("row").sort("row")
    return frame.with_columns(new_paths["file_path"], pl.lit(None, pl.String).alias("remote_path"))


def encoded(pixels: np.ndarray, suffix: str, quality: int, path: Path) -> bytes:
    """Pixels (height, width, bands) as a file of the format; ``path`` names the source in an error.

    Raises:
        SightlineError: the format holds no such pixels.
    """
    if suffix == ".jpg" and pixels.shape[2] == 4:
        pixels = pixels[..., :3]
    bands = pixels.shape[2]
    eight_bits = pixels.dtype == np.uint8 and bands in ((1, 3) if suffix == ".jpg" else (1, 3, 4))
    if not eight_bits and not (suffix == ".png" and pixels.dtype == np.uint16 and bands == 1):
        raise SightlineError(
            f"{path}: has {bands} bands of {pixels.dtype}, which {suffix} does not hold; encode it as tif."
        )
    stream = io.BytesIO()
    # Compact rows of memory: a flipped or cropped view has none.
    compact = np.ascontiguousarray(pixels[..., 0] if bands == 1 else pixels)
    Image.fromarray(compact).save(stream, _FORMATS[suffix], quality=quality)
    return stream.getvalue()


def suffix_for(path: Path) -> str:
    """The format in which a changed image is stored: its own, or PNG where that cannot be written."""
    suffix = path.suffix.lower().replace(".jpeg", ".jpg").replace(".tiff", ".tif")
    return suffix if suffix in (*_FORMATS, ".tif") else ".png"


def _store(folder: Path, content: bytes, suffix: str, stored: set[Path]) -> Path:
    digest = hashlib.sha256(content).hexdigest()
    target = folder / digest[:2] / f"{digest[:32]}{suffix}"
    if not target.exists():
        with written_whole(target) as temporary:
            temporary.write_bytes(content)
        stored.add(target)
    return target
