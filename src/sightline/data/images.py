"""Read image files as 8-bit RGB, whatever they hold.

* Orientation: the EXIF tag is obeyed, so a picture stands as its photographer saw it.
* 16-bit grey is scaled by its full range (65535 becomes 255), never by what happens to be in the
  image, so that two images stay comparable. 32-bit integers are taken as 16-bit values, floating
  point as 0..255; both are clipped.
* Grey, palette, CMYK and the like become RGB. Transparency is dropped.
"""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sightline.errors import SightlineError

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def read_rgb(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The image as uint8 of shape (height, width, 3).

    ``size`` is the (height, width) that the image is said to have: where that fits only the pixels as
    they are stored, not as EXIF turns them, the annotations were made on the stored pixels and the
    image is left unturned.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    try:
        with Image.open(path) as image:
            if _orientation(image) > 1 and not _made_on_stored_pixels(image, size):
                image = ImageOps.exif_transpose(image)
            return _as_rgb(image)
    except FileNotFoundError:
        raise SightlineError(f"{path}: image not found; is the dataset folder complete?") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SightlineError(f"{path}: cannot be read as an image ({error}).") from error


def image_size(path: Path) -> tuple[int, int]:
    """Height and width as `read_rgb` gives them, from the file's header alone.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            return (width, height) if _orientation(image) in _SIDEWAYS else (height, width)
    except FileNotFoundError:
        raise SightlineError(f"{path}: image not found; is the dataset folder complete?") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SightlineError(f"{path}: cannot be read as an image ({error}).") from error


def _orientation(image: Image.Image) -> int:
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if isinstance(orientation, int) else 1


def _made_on_stored_pixels(image: Image.Image, size: tuple[int, int] | None) -> bool:
    stored = (image.height, image.width)
    turned = stored[::-1] if _orientation(image) in _SIDEWAYS else stored
    return size is not None and size != turned and size == stored


def _as_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 0xFFFF)
        return np.repeat((values // 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image), nan=0.0).clip(0, 255)
        return np.repeat(values.round().astype(np.uint8)[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
