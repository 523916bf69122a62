"""One image (or video frame) with its annotations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.context import Attribution, CameraInfo, Orientation, Position, VideoInfo
from sightline.data.images import read_rgb
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive
from sightline.data.primitives.drawing import line_height
from sightline.data.splits import UNDEFINED
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

        Raises:
            SightlineError: the file is missing, is not an image, or is stored in a video.
        """
        if self.file_path is None:
            raise SightlineError(f"sample {self.sample_index} has no file_path; set it to an image file.")
        if self.storage_format != "image":
            raise SightlineError(
                f"{self.file_path}: stored as '{self.storage_format}', and only images can be read; "
                "extract the frames first."
            )
        return read_rgb(Path(self.file_path), (self.height, self.width))

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
        lines = 0
        for annotation in self.annotations():
            if isinstance(annotation, Classification):
                annotation.draw(canvas, anchor=(0, lines * line_height(canvas)))
                lines += 1
            else:
                annotation.draw(canvas)
        return np.array(canvas)
