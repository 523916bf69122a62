"""What a model is given of an image, and the way back from what it says to the image.

One implementation serves training, evaluation and exported models, without torch, so that a model never sees
other pixels than those it was measured on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from sightline.config import Config
from sightline.errors import SightlineError

Fit = Literal["stretch", "letterbox", "crop", "pad"]
Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Fitting:
    """Where an image went: a point (x, y) of it to ``(x * scale_x + left, y * scale_y + top)``.

    ``height`` and ``width`` are the image's own.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int
    height: int
    width: int

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) left, top, right, bottom of the image, where they are for the model."""
        scale, shift = self._box_numbers()
        return (boxes * scale + shift).astype(boxes.dtype)

    def boxes_back(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) that a model gave, in the image, cut off at its borders."""
        scale, shift = self._box_numbers()
        size = np.array([self.width, self.height, self.width, self.height])
        return ((boxes - shift) / scale).clip(0, size).astype(boxes.dtype)

    def map_back(self, values: np.ndarray, *, outside: float) -> np.ndarray:
        """A map (height, width) that a model gave, on the image's pixels, each the nearest one's.

        ``outside`` is for pixels that the model was not shown.
        """
        rows = np.floor((np.arange(self.height) + 0.5) * self.scale_y + self.top).astype(np.int64)
        columns = np.floor((np.arange(self.width) + 0.5) * self.scale_x + self.left).astype(np.int64)
        seen_rows = (rows >= 0) & (rows < values.shape[0])
        seen_columns = (columns >= 0) & (columns < values.shape[1])
        result = np.full((self.height, self.width), outside, dtype=values.dtype)
        result[np.ix_(seen_rows, seen_columns)] = values[np.ix_(rows[seen_rows], columns[seen_columns])]
        return result

    def _box_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return scale, np.array([self.left, self.top] * 2, dtype=np.float64)


class Preprocessing(Config):
    """From an image file to the numbers that a model is given."""

    bands: Annotated[list[Positive], Field(min_length=1)] = [1, 2, 3]
    """Bands of the image in the order in which the model takes them, counted from 1; 1, 2, 3 are RGB."""
    size: tuple[Positive, Positive] | None = None
    """Height and width that every image gets; null: its own."""
    fit: Fit = "stretch"
    """How it gets them. ``stretch``: resized; ``letterbox``: resized keeping its proportions, then filled up;
    ``crop``: resized keeping its proportions, then its middle; ``pad``: not resized, filled up or cut off on
    the right and below."""
    multiple: Positive = 1
    """Height and width are filled up to a multiple of this, where there is no ``size``."""
    fill: float = 0
    """What images are filled up with."""
    scale: Annotated[float, Field(gt=0)] = 255
    """What values are divided by: the largest that there can be, 255 for bytes."""
    mean: list[float] = [0.485, 0.456, 0.406]
    """Subtracted after that, by band; the default is ImageNet's."""
    std: list[Annotated[float, Field(gt=0)]] = [0.229, 0.224, 0.225]
    """Divided by at last, by band."""

    @model_validator(mode="after")
    def _a_number_for_each_band(self) -> "Preprocessing":
        for name in ("mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                numbers, bands = len(getattr(self, name)), len(self.bands)
                raise ValueError(f"'{name}' has {numbers} numbers for {bands} bands; give one for each")
        if self.size is not None and self.multiple > 1:
            raise ValueError("'multiple' is for images that keep their size; leave out 'size' or it")
        return self

    @property
    def reads_rgb(self) -> bool:
        """Whether the bands are those of a picture in colour, as `read_rgb` gives them."""
        return self.bands == [1, 2, 3] and self.scale == 255

    def fitting(self, height: int, width: int) -> Fitting:
        """Where an image of that size goes."""
        if self.size is None or self.fit == "pad":
            return Fitting(1.0, 1.0, 0, 0, height, width)
        high, wide = self.size
        if self.fit == "stretch":
            return Fitting(wide / width, high / height, 0, 0, height, width)
        choose = min if self.fit == "letterbox" else max
        scale = choose(high / height, wide / width)
        inner_high, inner_wide = self._inner(height, width, scale)
        return Fitting(
            inner_wide / width,
            inner_high / height,
            (wide - inner_wide) // 2,
            (high - inner_high) // 2,
            height,
            width,
        )

    def fitted_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width for the model of an image of that size."""
        if self.size is not None:
            return self.size
        return -(-height // self.multiple) * self.multiple, -(-width // self.multiple) * self.multiple

    def fit_image(self, image: np.ndarray) -> np.ndarray:
        """``image`` (height, width, bands) where `fitting` says, of the same type."""
        return self._fitted(image, self.fill, Image.Resampling.BILINEAR)

    def fit_map(self, values: np.ndarray, outside: float) -> np.ndarray:
        """A map (height, width) of class indices where `fitting` says; ``outside`` fills it up."""
        return self._fitted(values[..., None], outside, Image.Resampling.NEAREST)[..., 0]

    def normalized(self, images: np.ndarray) -> np.ndarray:
        """Images (..., bands, height, width) as float32, ``(image / scale - mean) / std``."""
        mean = np.asarray(self.mean, dtype=np.float64).reshape(-1, 1, 1)
        std = np.asarray(self.std, dtype=np.float64).reshape(-1, 1, 1)
        factor = (1 / (self.scale * std)).astype(np.float32)
        result = np.multiply(
            images, factor, dtype=np.float32
        )  # in one pass, as memory is what this waits for
        result += (-mean / std).astype(np.float32)
        return result

    def choose_bands(self, image: np.ndarray, where: str = "image") -> np.ndarray:
        """The bands that the model takes of an image (height, width, bands) that holds all.

        Raises:
            SightlineError: it has no such band; ``where`` names it.
        """
        if image.shape[2] == len(self.bands) == max(self.bands) and self.bands == sorted(self.bands):
            return image
        if image.shape[2] == 1 and self.reads_rgb:  # grey
            return np.repeat(image, 3, axis=2)
        if image.shape[2] < max(self.bands):
            raise SightlineError(
                f"{where}: has {image.shape[2]} bands, and the model takes band {max(self.bands)}; give an "
                "image that has it."
            )
        return np.ascontiguousarray(image[..., [band - 1 for band in self.bands]])

    def _inner(self, height: int, width: int, scale: float) -> tuple[int, int]:
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _fitted(self, image: np.ndarray, outside: float, how: Image.Resampling) -> np.ndarray:
        height, width = image.shape[:2]
        target = self.fitted_size(height, width)
        place = self.fitting(height, width)
        inner = round(height * place.scale_y), round(width * place.scale_x)
        if inner != (height, width):
            image = resized(image, inner, how)
        if inner == target:
            return image
        result = np.full((*target, image.shape[2]), outside, dtype=image.dtype)
        from_top, from_left = max(0, -place.top), max(0, -place.left)
        to_top, to_left = max(0, place.top), max(0, place.left)
        high, wide = min(inner[0], target[0]), min(inner[1], target[1])
        result[to_top : to_top + high, to_left : to_left + wide] = image[
            from_top : from_top + high, from_left : from_left + wide
        ]
        return result


def resized(image: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    """``image`` (height, width, bands) of another size and the same type; smoothed where it shrinks."""
    height, width = size
    if image.dtype == np.uint8 and image.shape[2] in (1, 3):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        pixels = np.array(picture.resize((width, height), how))  # a copy that may be written to
        return pixels.reshape(height, width, image.shape[2])
    # Pillow's one type for other values is float32, which holds 16 bits exactly.
    bands: Sequence[np.ndarray] = [
        np.asarray(Image.fromarray(np.ascontiguousarray(band, dtype=np.float32)).resize((width, height), how))
        for band in np.moveaxis(image, 2, 0)
    ]
    pixels = np.stack(bands, axis=2)
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        pixels = pixels.round().clip(limits.min, limits.max)
    return pixels.astype(image.dtype)
