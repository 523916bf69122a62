"""Images that are no files yet: put into a folder under the hash of their content."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sightline.errors import SightlineError
from sightline.files import written_whole


def picture_folder(folder: str | Path | None, source: object) -> Path:
    """The absolute ``folder``.

    Raises:
        SightlineError: none was given, though ``source`` holds images that are no files.
    """
    if folder is None:
        raise SightlineError(
            f"{source}: holds images that are no files; give a folder to put them in, folder=."
        )
    return Path(folder).absolute()


def store_picture(content: bytes, folder: Path, what: str) -> str:
    """Store the bytes of an image file as they are; the path. ``what`` names them in an error.

    Raises:
        SightlineError: the bytes are no image.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            suffix = _SUFFIXES.get(image.format or "", f".{(image.format or 'png').lower()}")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SightlineError(f"{what}: cannot be read as an image ({problem_of(error)}).") from None
    return _stored(content, suffix, folder)


def problem_of(error: Exception) -> str:
    """What Pillow says of bytes, which without a name it calls by their place in memory."""
    return "of no kind that is known" if isinstance(error, UnidentifiedImageError) else str(error)


def store_pixels(pixels: np.ndarray, folder: Path) -> str:
    """Store uint8 (height, width) or (height, width, 3) as PNG; the path."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return _stored(stream.getvalue(), ".png", folder)


_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}


def _stored(content: bytes, suffix: str, folder: Path) -> str:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / digest[:2] / f"{digest[:32]}{suffix}"
    if not path.exists():
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
    return str(path)
