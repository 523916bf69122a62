"""Sizes of many images at once, from the first bytes of each file.

`sightline.data.images.image_size` says what an image's size is. Opening a file with Pillow takes several
times as long as reading its header, and for PNG it decodes the pixels (to find EXIF data that may follow
them), so the usual JPEG and PNG files are looked at here. Whatever is unusual about a file (EXIF or XMP
data that may turn the image, other formats, damage) sends it to `image_size`.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from sightline.data.images import image_size
from sightline.data.progress import in_parallel
from sightline.data.small_files import threads_to_read

_HEADER = 4096  # bytes; all that stands before the pixels of a JPEG without EXIF and previews

# Markers of ITU-T T.81, table B.1. APP1 (EXIF, XMP) is not among those that may be passed over.
_FRAMES = (0xC0, 0xC1, 0xC2)
_PASSED_OVER = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xED, 0xEE, 0xFE))
_ICC_PROFILE, _SCAN = 0xE2, 0xDA
_SEGMENT = struct.Struct(">BBH")  # 0xFF, marker, length
_FRAME = struct.Struct(">BHHB")  # bits of a component, height, width, number of components

# https://www.w3.org/TR/png-3/#5DataRep
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PLAIN_CHUNKS = frozenset(
    (
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"tRNS",
        b"cHRM",
        b"gAMA",
        b"iCCP",
        b"sBIT",
        b"sRGB",
        b"bKGD",
        b"pHYs",
        b"tIME",
    )
)
_TEXT_CHUNKS = frozenset((b"tEXt", b"zTXt", b"iTXt"))


def image_sizes(
    paths: Sequence[str], *, progress: bool = True, label: str = "Reading image sizes"
) -> np.ndarray:
    """Height and width of each image as `image_size` gives them, int64 of shape (len(paths), 2).

    Raises:
        SightlineError: a file is missing or is not an image that can be read; the sentence names it.
    """
    threads = threads_to_read(size_of, paths)
    sizes = in_parallel(size_of, paths, label, progress=progress, threads=threads, batch=64)
    return np.fromiter(sizes, dtype=np.dtype((np.int64, 2)), count=len(paths))


def size_of(path: str) -> tuple[int, int]:
    """Height and width of one image as `image_size` gives them.

    Raises:
        SightlineError: the file is missing or is not an image that can be read.
    """
    size = None
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            header = os.read(file, _HEADER)
            if header.startswith(b"\xff\xd8\xff"):
                size = _jpeg_size(header)
            elif header.startswith(_PNG):
                size = _png_size(header, file)
        finally:
            os.close(file)
    except (OSError, ValueError):
        pass  # image_size finds the words
    if size is None or not 0 < size[0] * size[1] <= (Image.MAX_IMAGE_PIXELS or 0):
        return image_size(Path(path))
    return size


def _jpeg_size(header: bytes) -> tuple[int, int] | None:
    """From the frame header, where only harmless segments surround it."""
    size, start, last = None, 2, len(header) - 18
    while start <= last:
        begin, marker, length = _SEGMENT.unpack_from(header, start)
        if begin != 0xFF:
            return None
        if marker == _SCAN:
            return size
        if marker in _FRAMES and size is None:
            bits, height, width, components = _FRAME.unpack_from(header, start + 4)
            if bits != 8 or components not in (1, 3, 4):
                return None
            size = height, width
        elif marker not in _PASSED_OVER and not (
            marker == _ICC_PROFILE and header.startswith(b"ICC_PROFILE\0", start + 4)
        ):
            return None
        start += 2 + length
    return None


def _png_size(header: bytes, file: int) -> tuple[int, int] | None:
    """From the header chunk, where no chunk of the file holds EXIF or XMP data."""
    if crc32(header[12:29]) != int.from_bytes(header[29:33], "big"):
        return None
    start, kind = 8, b""
    while kind != b"IEND":
        chunk = header[start : start + 8] if start + 8 <= len(header) else os.pread(file, 8, start)
        kind = chunk[4:]
        if kind in _TEXT_CHUNKS:
            keyword = os.pread(file, 80, start + 8).partition(b"\0")[0].lower()
            if b"exif" in keyword or b"xmp" in keyword:
                return None
        elif kind not in _PLAIN_CHUNKS and kind != b"IEND":
            return None
        start += 12 + int.from_bytes(chunk[:4], "big")
    return int.from_bytes(header[20:24], "big"), int.from_bytes(header[16:20], "big")
