"""An uploaded image, within limits, as what a model takes."""

import io
import warnings

import numpy as np
from PIL import Image

from sightline.data.images import image_size
from sightline.data.remote.store import names_replaced
from sightline.deploy.predictor import Predictor
from sightline.errors import SightlineError
from sightline.files import temporary_folder

MOST_BYTES = 64 << 20
"""Bytes that an upload may have."""

MOST_PIXELS = 100_000_000
"""Pixels that an image may have."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHAT = "the upload"


def read_upload(predictor: Predictor, content: bytes) -> np.ndarray:
    """The image in ``content`` as the model's training read images.

    Raises:
        SightlineError: it is no image that can be read, is too large, or lacks a band.
    """
    with temporary_folder() as folder:
        path = folder / f"upload{_suffix(content)}"
        path.write_bytes(content)
        with names_replaced(path.as_posix(), _WHAT):
            height, width = image_size(path)
            if height * width > MOST_PIXELS:
                raise SightlineError(
                    f"{_WHAT}: has {height} x {width} pixels, and at most {MOST_PIXELS:,} are taken."
                )
            return predictor.read(path)


def _suffix(content: bytes) -> str:
    """The ending for a file, by which rasters are told from pictures.

    Raises:
        SightlineError: it is no image.
    """
    if content.startswith(_TIFF):
        return ".tif"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is looked at next
            with Image.open(io.BytesIO(content)) as image:
                return f".{(image.format or 'png').lower()}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SightlineError(f"{_WHAT}: is no image that can be read.") from error
