"""Read image files: as 8-bit RGB whatever they hold, or all their bands as they are.

* Orientation: the EXIF tag is obeyed, so a picture stands as its photographer saw it.
* 16-bit grey is scaled by its full range (65535 becomes 255), never by what happens to be in the
  image, so that two images stay comparable. 32-bit integers are taken as 16-bit values, floating
  point as 0..255; both are clipped.
* Grey, palette, CMYK and the like become RGB. Transparency is dropped.
* TIFFs of several bands are rasters: their first three bands are red, green and blue. A fourth is
  data (near infrared) and never taken for transparency or for the black of CMYK.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from sightline.data.raster import (
    Georeference,
    checked_bands,
    has_mask,
    is_raster,
    opened,
    rasterio_available,
    read_pixels,
    read_validity,
    write_geotiff,
)
from sightline.data.remote.urls import not_found
from sightline.errors import SightlineError
from sightline.files import sha256_file

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_MIRRORED, _UPSIDE_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)  # after height and width are swapped
_BACK = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_RGB, _CMYK, _LAB = 2, 5, 8  # values of TIFF's PhotometricInterpretation


def read_rgb(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The image as uint8 of shape (height, width, 3).

    ``size`` is the (height, width) that the image is said to have: where that fits only the pixels as
    they are stored, not as EXIF turns them, the annotations were made on the stored pixels and the
    image is left unturned.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    with _picture(path) as image:
        if image is not None:
            return _as_rgb(_turned(image, size))
    with opened(path) as raster:
        bands = [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
        return as_eight_bits(read_pixels(raster, bands))


def read_bands(
    path: str | Path, bands: Sequence[int] | None = None, size: tuple[int, int] | None = None
) -> np.ndarray:
    """The image in its own type, of shape (height, width, bands).

    ``bands`` are counted from 1 and come in the order given; None for all. A palette image gives the
    numbers of its colours. ``size`` is that of `read_rgb`.

    Raises:
        SightlineError: the file is missing or is not an image that can be read, or it has no such band.
    """
    if _as_raster(path):
        with opened(path) as raster:
            return _turned_raster(path, read_pixels(raster, bands), size)
    with _opened(path) as image:
        pixels = np.asarray(_turned(image, size))
    pixels = pixels.astype(np.uint8) if pixels.dtype == bool else pixels
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    chosen = checked_bands(path, pixels.shape[2], bands)
    return pixels if bands is None else pixels[..., [band - 1 for band in chosen]]


def read_valid(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Where the image holds data: bool of shape (height, width).

    Rasters say so by a nodata value, a mask or an alpha band, and by NaN and -9999 (see
    `sightline.data.raster.read_validity`); other images by transparency.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    if _as_raster(path):
        with opened(path) as raster:
            valid = read_validity(raster, read_pixels(raster), masked=has_mask(raster))
        return _turned_raster(path, valid, size)
    with _opened(path) as image:
        image = _turned(image, size)
        if not image.has_transparency_data:
            return np.ones((image.height, image.width), dtype=bool)
        return np.asarray(image.convert("RGBA"))[..., 3] != 0


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width as `read_rgb` gives them, from the file's header alone.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    with _picture(path) as image:
        if image is not None:
            return _size_as_seen(image)
    with opened(path) as raster:
        return raster.height, raster.width


def write_image(
    path: Path, pixels: np.ndarray, place: Georeference | None = None, valid: np.ndarray | None = None
) -> None:
    """Write (height, width, bands) in the format that ``path`` is named for, JPEG at quality 95.

    ``place`` and ``valid`` are for TIFF: see `sightline.data.raster.write_geotiff`.

    Raises:
        SightlineError: the format does not hold that many bands, or not their type.
    """
    suffix, count = path.suffix, pixels.shape[2]
    if is_raster(path):
        write_geotiff(path, pixels, place or Georeference(), valid)
        return
    fits = pixels.dtype == np.uint8 and count in ((1, 3) if suffix == ".jpg" else (1, 3, 4))
    if not fits and not (suffix == ".png" and pixels.dtype == np.uint16 and count == 1):
        raise SightlineError(
            f"{suffix} images hold no {count} bands of {pixels.dtype}; choose tif, or other bands."
        )
    Image.fromarray(pixels[..., 0] if count == 1 else pixels).save(path, quality=95, compress_level=3)


def store_image(
    folder: Path,
    suffix: str,
    pixels: np.ndarray,
    place: Georeference | None = None,
    valid: np.ndarray | None = None,
) -> Path:
    """Write (height, width, bands) into ``folder`` under a name made of its content, and give the path.

    The file appears whole; one that is there already has the same content. See `write_image`.
    """
    with _temporary_in(folder, suffix) as temporary:
        write_image(temporary, pixels, place, valid)
        digest = sha256_file(temporary)
        target = folder / digest[:2] / f"{digest[:32]}{suffix}"
        target.parent.mkdir(exist_ok=True)
        return temporary.replace(target)


def write_image_whole(path: Path, pixels: np.ndarray) -> None:
    """`write_image`, so that nobody ever sees half of the file."""
    with _temporary_in(path.parent, path.suffix) as temporary:
        write_image(temporary, pixels)
        temporary.replace(path)


@contextmanager
def _temporary_in(folder: Path, suffix: str) -> Iterator[Path]:
    """A file of a name that no other writer has; what is still there at the end is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=suffix, dir=folder)
    os.fchmod(handle, 0o644)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _as_raster(path: str | Path) -> bool:
    return is_raster(Path(path)) and rasterio_available()


@contextmanager
def _picture(path: str | Path) -> Iterator[Image.Image | None]:
    """The image opened by Pillow, or None where it is a raster and rasterio is to read it."""
    if not _as_raster(path):
        with _opened(path) as image:
            yield image
        return
    try:
        # Image.open would take an aerial image of 100 megapixels for an attack.
        image = TiffImagePlugin.TiffImageFile(path)
    except _UNREADABLE:
        yield None
        return
    with image, _one_sentence(path):
        yield None if _is_for_rasterio(image) else image


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    with _one_sentence(path), Image.open(path) as image:
        yield image


@contextmanager
def _one_sentence(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise not_found(path) from None
    except _UNREADABLE as error:
        raise SightlineError(f"{path}: cannot be read as an image ({error}).") from error


def _is_for_rasterio(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Pillow knows pictures in grey, RGB, CMYK and LAB; other bands and types it refuses or misreads."""
    tags = image.tag_v2
    photometric, samples = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION), tags.get(277, 1)
    if samples == 1:
        signed = 2 in np.atleast_1d(tags.get(TiffImagePlugin.SAMPLEFORMAT, 1))
        return bool(signed)
    return not (photometric in (_CMYK, _LAB) or (photometric == _RGB and samples == 3))


def _turned(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    orientation = _orientation(image)
    if orientation <= 1:
        return image
    if not _made_on_stored_pixels(image, size):
        return ImageOps.exif_transpose(image)
    return image.transpose(_BACK[orientation]) if _turns_itself(image) else image


def _turned_raster(path: str | Path, pixels: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """What rasterio, which knows no orientation, read of a picture, as `_turned` would give it."""
    with _picture(path) as image:
        if image is None or _made_on_stored_pixels(image, size):
            return pixels
        orientation = _orientation(image)
    pixels = pixels.swapaxes(0, 1) if orientation in _SIDEWAYS else pixels
    pixels = pixels[:, ::-1] if orientation in _MIRRORED else pixels
    return np.ascontiguousarray(pixels[::-1] if orientation in _UPSIDE_DOWN else pixels)


def _turns_itself(image: Image.Image) -> bool:
    """Pillow gives the size of a TIFF, and once it is loaded its pixels, as EXIF turns them."""
    return isinstance(image, TiffImagePlugin.TiffImageFile)


def _size_as_seen(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    sideways = _orientation(image) in _SIDEWAYS and not _turns_itself(image)
    return (width, height) if sideways else (height, width)


def _orientation(image: Image.Image) -> int:
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if isinstance(orientation, int) else 1


def _made_on_stored_pixels(image: Image.Image, size: tuple[int, int] | None) -> bool:
    seen = _size_as_seen(image)
    return _orientation(image) in _SIDEWAYS and size != seen and size == seen[::-1]


def _as_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "RGB":
        return np.array(image)
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(as_eight_bits(np.asarray(image))[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def as_eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Values of any type as uint8, by the rules at the top of this module."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        return np.nan_to_num(pixels, nan=0.0).clip(0, 255).round().astype(np.uint8)
    if pixels.dtype.itemsize == 1:
        return pixels.clip(0).astype(np.uint8)
    return (pixels.clip(0, 0xFFFF) // 257).astype(np.uint8)
