"""JPEG files to pixels by libjpeg-turbo directly, sooner than `sightline.data.images.read_rgb`.

Both use libjpeg-turbo's accurate transform and smooth chroma upsampling, so they agree bit by bit; a test
holds that. Whatever is not a plain JPEG (other formats, a picture that EXIF turns, CMYK, damage) goes to
`read_rgb`, which also words the errors; and so does everything where simplejpeg is not installed.
"""

import struct

import numpy as np
from PIL import ExifTags, Image

from sightline.data.images import read_rgb
from sightline.data.packed import refuse_other_size

try:
    import simplejpeg
except ImportError:  # it comes with the extras for training and for predicting
    simplejpeg = None

_JPEG = b"\xff\xd8\xff"
_EXIF = b"Exif\0\0"
_HEADERS = 1 << 16  # an EXIF segment comes first, and none is longer than this


def read_pixels(path: str, size: tuple[int, int] | None = None, out: np.ndarray | None = None) -> np.ndarray:
    """The image as uint8 of shape (height, width, 3), as ``size`` says it is, or as it is.

    ``out`` is a contiguous array of that shape to put it into.

    Raises:
        SightlineError: the file is missing, is not an image that can be read, or has another size.
    """
    pixels = _read_jpeg(path, size, out)
    if pixels is not None:
        return pixels
    pixels = read_rgb(path, size)
    if size is not None:
        refuse_other_size(path, pixels, size)
    if out is None:
        return pixels
    out[:] = pixels
    return out


def _read_jpeg(path: str, size: tuple[int, int] | None, out: np.ndarray | None) -> np.ndarray | None:
    """The pixels of a plain JPEG of that size; None where it is anything else."""
    if simplejpeg is None:
        return None
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (a third of the time for a small file)
            data = stream.read()
    except OSError:
        return None
    if not data.startswith(_JPEG) or _is_turned(data):
        return None
    try:
        *stored, colour, _ = simplejpeg.decode_jpeg_header(data)
        height, width = map(int, stored)
        if size not in (None, (height, width)) or colour not in ("YCbCr", "Gray", "RGB"):
            return None
        if out is None:
            out = np.empty((height, width, 3), dtype=np.uint8)
        simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=out)
    except ValueError:
        return None
    return out


def _is_turned(data: bytes) -> bool:
    start = data.find(_EXIF, 0, _HEADERS)
    if start < 0:
        return False
    exif = Image.Exif()
    try:
        exif.load(data[start : start + _HEADERS])
        return exif.get(ExifTags.Base.Orientation, 1) != 1
    except (SyntaxError, struct.error):  # what Pillow raises for damaged EXIF; `read_rgb` bears with it
        return True
