"""One image (or video frame) with its annotations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.context import Attribution, CameraInfo, Orientation, Position, VideoInfo
from sightline.data.images import read_bands, read_rgb, read_valid
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive
from sightline.data.primitives.drawing import Labels
from sightline.data.raster import checked_bands
from sightline.data.remote.urls import remote_url
from sightline.data.splits import UNDEFINED
from sightline.data.video import read_frame
from sightline.errors import SightlineError

_READABLE_SIDE = 240


@dataclass(slots=True, kw_only=True)
class Sample:
    """An image file, its annotations, and where it comes from.

    ``height`` and ``width`` are in pixels, of the image as `read_image` gives it. A list of annotations
    is None where the sample was not annotated for that, and empty where nothing was found.
    ``bitmasks`` holds `Segmentation` objects too. ``collection_id`` and ``collection_index`` are the
    video and the frame number, for instance. ``sample_index`` stays with the sample when a dataset is
    split or filtered; `Dataset.from_samples` numbers samples that have none.
    """

    file_path: str | None
    height: int
    width: int
    split: str = UNDEFINED
    tags: list[str] = field(default_factory=list)
    classifications: list[Classification] | None = None
    bboxes: list[Bbox] | None = None
    bitmasks: list[Bitmask] | None = None
    polygons: list[Polygon] | None = None
    meta: dict[str, Any] | None = None
    sample_index: int | None = None
    storage_format: str = "image"
    collection_index: int | None = None
    collection_id: str | None = None
    remote_path: str | None = None
    dataset_name: str | None = None
    attribution: Attribution | None = None
    video_info: VideoInfo | None = None
    camera_info: CameraInfo | None = None
    position: Position | None = None
    orientation: Orientation | None = None

    def annotations(self) -> Iterator[Primitive]:
        """All annotations, largest kind first: masks, polygons, boxes, classifications."""
        for annotations in (self.bitmasks, self.polygons, self.bboxes, self.classifications):
            yield from annotations or ()

    def read_image(self) -> np.ndarray:
        """The image as uint8 RGB of shape (height, width, 3); see `sightline.data.images`.

        A sample stored as ``video`` gives the frame ``collection_index`` of its video.

        Raises:
            SightlineError: the file is missing or cannot be read, or the video has no such frame.
        """
        with self._file() as path:
            if self.storage_format == "video":
                return read_frame(path, self.collection_index or 0)
            return read_rgb(path, (self.height, self.width))

    def read_bands(self, bands: Sequence[int] | None = None) -> np.ndarray:
        """The image in the file's own type, of shape (height, width, bands).

        ``bands`` are counted from 1, as GDAL counts them (NAIP: red, green, blue, near infrared); None
        for all. A video frame has the three bands of RGB.

        Raises:
            SightlineError: as `read_image`, or there is no such band.
        """
        with self._file() as path:
            if self.storage_format == "video":
                frame = read_frame(path, self.collection_index or 0)
                return frame[..., [band - 1 for band in checked_bands(path, frame.shape[2], bands)]]
            return read_bands(path, bands, (self.height, self.width))

    def read_valid(self) -> np.ndarray:
        """Where the image holds data (no nodata value, not masked, not transparent): bool (height, width).

        Raises:
            SightlineError: the file is missing or cannot be read.
        """
        with self._file() as path:
            if self.storage_format == "video":
                return np.ones((self.height, self.width), dtype=bool)
            return read_valid(path, (self.height, self.width))

    @contextmanager
    def _file(self) -> Iterator[Path]:
        """The file for as long as the block lasts, fetched first where it is in an object store."""
        if self.file_path is None:
            raise SightlineError(f"sample {self.sample_index} has no file_path; set it to an image file.")
        if self.storage_format not in ("image", "video"):
            raise SightlineError(
                f"{self.file_path}: stored as '{self.storage_format}', only images and videos can be read."
            )
        if url := remote_url(self.file_path):
            from sightline.data.remote.store import on_disk

            with on_disk(url) as path:
                yield path
        else:
            yield Path(self.file_path)

    def draw_annotations(self, image: np.ndarray | None = None, scale: int | None = None) -> np.ndarray:
        """The image with its annotations drawn on it, as uint8 RGB of shape (height, width, 3).

        ``image`` replaces the sample's own (grey or RGB, uint8). The result is ``scale`` times as large
        as the image; without it, images too small for a label to be read are enlarged.
        """
        pixels = self.read_image() if image is None else image
        canvas = Image.fromarray(pixels).convert("RGB")
        if scale is None:
            scale = max(1, round(_READABLE_SIDE / min(canvas.size)))
        if scale > 1:
            canvas = canvas.resize((canvas.width * scale, canvas.height * scale), Image.Resampling.NEAREST)
        labels = Labels(canvas)
        for annotation in self.annotations():
            annotation.draw(canvas, labels=labels)
        labels.draw()
        return np.array(canvas)
