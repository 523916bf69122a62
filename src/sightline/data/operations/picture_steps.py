"""What `transform_images` can do to an image. Each step says it in JSON: ``{"step": "flip"}``."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sightline.config.wording import TypeName
from sightline.data.operations.placement import Placement
from sightline.errors import SightlineError

Pixels = Annotated[int, Field(ge=1)]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def place(self, placement: Placement) -> Placement:
        """Where the image is after the step."""
        return placement

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:  # noqa: ARG002
        """The pixels (height, width, bands) after the step; ``before`` and ``after`` have the sizes."""
        return pixels


class Resize(_Step):
    """To ``width`` x ``height``; to one of them, or to ``longest_side``, keeping the shape.

    With ``enlarge`` false, images that would become larger stay as they are.
    """

    step: Literal["resize"] = "resize"
    longest_side: Pixels | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    enlarge: bool = True

    @model_validator(mode="after")
    def _check(self) -> "Resize":
        sides = self.width is not None or self.height is not None
        if sides == (self.longest_side is not None):
            raise ValueError("resize takes either longest_side, or width, height or both")
        return self

    def place(self, placement: Placement) -> Placement:
        """Where the image is after the step."""
        width, height = placement.size
        if self.width is not None and self.height is not None:
            wanted = self.width, self.height
        else:
            factor = (
                self.longest_side / max(width, height)
                if self.longest_side is not None
                else self.width / width
                if self.width is not None
                else (self.height or height) / height
            )
            wanted = max(1, round(width * factor)), max(1, round(height * factor))
        grows = wanted[0] > width or wanted[1] > height
        return placement if grows and not self.enlarge else placement.scaled(wanted)

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:
        """Each pixel the mean of those it stands for (Lanczos), without ringing past the type's range."""
        if before.size == after.size:
            return pixels
        return np.stack([_resized(band, after.size) for band in np.moveaxis(pixels, 2, 0)], axis=2)


class Pad(_Step):
    """At least ``width`` x ``height``, or square where neither is given; the image stays in the middle.

    ``fill`` is the value of the new pixels in every band.
    """

    step: Literal["pad"] = "pad"
    width: Pixels | None = None
    height: Pixels | None = None
    fill: float = 0
    place_at: Literal["middle", "top_left"] = "middle"

    def place(self, placement: Placement) -> Placement:
        """Where the image is after the step."""
        width, height = placement.size
        placement = placement.cut()  # no object reaches into the padding
        square = max(width, height) if self.width is None and self.height is None else 1
        size = max(width, self.width or square), max(height, self.height or square)
        if self.place_at == "top_left":
            return placement.moved(0, 0, size)
        return placement.moved(-((size[0] - width) // 2), -((size[1] - height) // 2), size)

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:
        """The image on a larger one of the colour ``fill``."""
        left, top = _offset(before, after)
        larger = np.full((after.size[1], after.size[0], pixels.shape[2]), self.fill, dtype=pixels.dtype)
        larger[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return larger


class Crop(_Step):
    """At most ``width`` x ``height``, from the middle, or from ``left`` and ``top`` (pixels) on."""

    step: Literal["crop"] = "crop"
    width: Pixels
    height: Pixels
    left: Annotated[int, Field(ge=0)] | None = None
    top: Annotated[int, Field(ge=0)] | None = None

    def place(self, placement: Placement) -> Placement:
        """Where the image is after the step.

        Raises:
            SightlineError: nothing of the image is left.
        """
        width, height = placement.size
        left = max(0, (width - self.width) // 2) if self.left is None else self.left
        top = max(0, (height - self.height) // 2) if self.top is None else self.top
        size = min(self.width, width - left), min(self.height, height - top)
        if min(size) < 1:
            raise SightlineError(
                f"a crop from ({left}, {top}) on leaves nothing of an image of {width} x {height} pixels; "
                "begin further to the top left."
            )
        return placement.moved(left, top, size).cut()

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:
        """The part of the image."""
        left, top = _offset(after, before)
        return pixels[top : top + after.size[1], left : left + after.size[0]]


class Flip(_Step):
    """A mirror image: ``horizontal`` exchanges left and right, ``vertical`` top and bottom."""

    step: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def place(self, placement: Placement) -> Placement:
        """Where the image is after the step."""
        return placement.mirrored(0 if self.direction == "horizontal" else 1)

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:  # noqa: ARG002
        """The mirror image."""
        return pixels[:, ::-1] if self.direction == "horizontal" else pixels[::-1]


class Grayscale(_Step):
    """One band: the luma of the first three (ITU-R BT.601), as Pillow's mode L. One band stays as it is."""

    step: Literal["grayscale"] = "grayscale"

    def change(self, pixels: np.ndarray, before: Placement, after: Placement) -> np.ndarray:  # noqa: ARG002
        """One band."""
        if pixels.shape[2] < 3:
            return pixels[..., :1]
        luma = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
        return _as_type(luma, pixels.dtype)[..., None]


class Encode(_Step):
    """The file format; without this step it stays, where it can hold the result, and is PNG otherwise.

    ``quality`` (1 to 100) is for JPEG and WebP; PNG and TIFF keep every pixel.
    """

    step: Literal["encode"] = "encode"
    image_format: Literal["jpg", "png", "webp", "tif"]
    quality: Annotated[int, Field(ge=1, le=100)] = 95


ImageStep = Annotated[
    Resize | Pad | Crop | Flip | Grayscale | Encode,
    Field(discriminator="step"),
    TypeName("step (resize, pad, crop, flip, grayscale or encode)"),
]

STEPS: Mapping[str, type[Resize | Pad | Crop | Flip | Grayscale | Encode]] = {
    kind.__name__.lower(): kind for kind in (Resize, Pad, Crop, Flip, Grayscale, Encode)
}
"""The steps by their names in JSON."""


def _offset(inner: Placement, outer: Placement) -> tuple[int, int]:
    """Where the corner of one image lies in another that differs by its edges only."""
    return round(outer.shift[0] - inner.shift[0]), round(outer.shift[1] - inner.shift[1])


def _resized(band: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    held = np.ascontiguousarray(band if band.dtype == np.uint8 else band.astype(np.float32))
    return _as_type(np.asarray(Image.fromarray(held).resize(size, Image.Resampling.LANCZOS)), band.dtype)


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return values.round().clip(limits.min, limits.max).astype(dtype)
