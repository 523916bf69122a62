"""Masks: the pixels of one object, or of one class."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from PIL import Image

from sightline.data.primitives.base import Region
from sightline.data.primitives.drawing import Colour, Labels, class_colour, tint
from sightline.data.primitives.rle import decode_mask, encode_mask, rle_length
from sightline.errors import SightlineError


@dataclass(slots=True, kw_only=True)
class Bitmask(Region):
    """The pixels of one object.

    ``top``, ``left``, ``height`` and ``width`` are its bounding box in pixels; ``rle_string`` is the
    compressed COCO RLE of a mask of the *whole image*.
    """

    column: ClassVar[str] = "bitmasks"

    top: int
    left: int
    height: int
    width: int
    rle_string: str
    task_name: str = "mask_detection"

    @classmethod
    def from_mask(
        cls,
        mask: np.ndarray,
        *,
        class_name: str | None = None,
        class_idx: int | None = None,
        object_id: str | None = None,
    ) -> Self:
        """From a mask of the whole image: (image height, image width), inside where it is not 0.

        Raises:
            SightlineError: the mask has not two dimensions, or no pixels at all.
        """
        if mask.ndim != 2 or not mask.size:
            raise SightlineError(f"a mask of shape {mask.shape} was given; give one of (height, width).")
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        empty = not len(rows)
        return cls(
            top=0 if empty else int(rows[0]),
            left=0 if empty else int(columns[0]),
            height=0 if empty else int(rows[-1] - rows[0] + 1),
            width=0 if empty else int(columns[-1] - columns[0] + 1),
            rle_string=encode_mask(mask),
            area=float(np.count_nonzero(mask) / mask.size),
            class_name=class_name,
            class_idx=class_idx,
            object_id=object_id,
        )

    def to_mask(self, image_height: int, image_width: int) -> np.ndarray:
        """The mask as bool of shape (image_height, image_width).

        Raises:
            SightlineError: ``rle_string`` was made for an image of another size.
        """
        return decode_mask(self.rle_string, image_height, image_width)

    def draw_shape(self, image: Image.Image, labels: Labels, *, nested: bool) -> None:  # noqa: D102 (see Primitive)
        colour = class_colour(str(self.class_name))
        height, width = _size_of_mask(rle_length(self.rle_string), image)
        mask = Image.fromarray(self.to_mask(height, width).astype(np.uint8) * 255)
        inside = mask.resize(image.size, Image.Resampling.NEAREST)
        tint(image, inside, colour, 0.15 if nested else 0.3, edge=0.5 if nested else 0.9)
        self.draw_attributes(image, labels)
        if not nested:
            self.hand_over_label(labels, image.width / width, image.height / height, colour)

    def hand_over_label(self, labels: Labels, across: float, down: float, colour: Colour) -> None:
        """Have the label written, on a picture ``across`` times as wide and ``down`` times as high."""
        corner, bottom = (self.left * across, self.top * down), (self.top + self.height) * down
        labels.add(corner, bottom, self.label(), str(self.class_name), colour)


@dataclass(slots=True, kw_only=True)
class Segmentation(Bitmask):
    """All pixels of one class in the image, objects not told apart: one label of a semantic map.

    It has the shape of a `Bitmask` and is stored in the same column; that it is a segmentation is a
    property of its task (``TaskInfo(primitive=Segmentation, ...)``). Within a task the masks of an
    image do not overlap; where they do, the later one wins.
    """

    task_name: str = "semantic_segmentation"

    def hand_over_label(self, labels: Labels, across: float, down: float, colour: Colour) -> None:  # noqa: ARG002
        """All over the picture as its pixels may be, a class stands in the legend."""
        labels.add_to_legend(self.label(), colour)


def _size_of_mask(length: int, picture: Image.Image) -> tuple[int, int]:
    """Height and width of a mask of ``length`` pixels whose image was enlarged or reduced to ``picture``.

    An RLE does not say; of the sizes with that many pixels it is the one most like the picture's shape.
    """
    wanted = (length * picture.height / max(1, picture.width)) ** 0.5
    for distance in range(int(wanted) + 2):
        for height in (round(wanted) - distance, round(wanted) + distance):
            if height > 0 and length % height == 0:
                return height, length // height
    return picture.height, picture.width
