"""What image files say beside their pixels: where they were taken, and how to be rid of it."""

import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import ExifTags, Image

from sightline.data.images import read_bands
from sightline.data.progress import in_parallel
from sightline.errors import SightlineError

POSITIONS = pl.Schema(
    {"file_path": pl.String(), "latitude": pl.Float64(), "longitude": pl.Float64(), "source": pl.String()}
)
"""The columns of `find_gps`."""

# Drones write their position as XMP too, by names of their makers (drone-dji:GpsLatitude="51.5").
_XMP = re.compile(rb"""[:<\s](?:GPS|Gps)(Latitude|Longt?itude)(?:=["']|>)\s*([^"'<]{1,40})""")

_BATCH = 64


def find_gps(paths: Sequence[str | Path], *, progress: bool = True) -> pl.DataFrame:
    """The images that say where they were taken, a row each, in the order given.

    Only the files' headers are read. Columns: ``file_path``; ``latitude`` and ``longitude`` in degrees,
    north and east positive, None where a position is there but cannot be read; ``source``, "EXIF" or
    "XMP". Files that are missing or no images have no row.
    """
    files = [str(path) for path in paths]

    def batch(start: int) -> list[tuple[str, float | None, float | None, str]]:
        found = ((path, position_in(path)) for path in files[start : start + _BATCH])
        return [(path, *position) for path, position in found if position is not None]

    starts = range(0, len(files), _BATCH)
    rows = [row for rows in in_parallel(batch, starts, "Reading headers", progress=progress) for row in rows]
    return pl.DataFrame(rows, schema=POSITIONS, orient="row")


def position_in(path: str | Path) -> tuple[float | None, float | None, str] | None:
    """Latitude, longitude and where it is said, or None where the file does not say; see `find_gps`."""
    try:
        with Image.open(path) as image:
            if image.format == "PNG" and not _png_says_more(path):
                return None  # Pillow would decode it all to find out
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    except Exception:  # damaged headers raise anything, and this is no check of them
        return None
    if ExifTags.GPS.GPSLatitude in gps or ExifTags.GPS.GPSLongitude in gps:
        latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef))
        longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef))
        return latitude, longitude, "EXIF"
    found = _XMP.findall(xmp.encode() if isinstance(xmp, str) else xmp)
    if not found:
        return None
    said = {name[:3]: _degrees_of_text(text.decode("utf-8", "replace")) for name, text in found}
    return said.get(b"Lat"), said.get(b"Lon"), "XMP"


def without_metadata(path: Path) -> tuple[bytes, str]:
    """The content of an image file without EXIF, GPS, XMP, IPTC, comments and previews, and its suffix.

    The compressed pixels of JPEG, PNG and WebP files stay as they are, and so do colour profiles; where
    EXIF turns the image, that alone is said anew. Other files become PNG with the same pixels.

    Raises:
        SightlineError: the file cannot be read as an image, or PNG does not hold its pixels.
    """
    content = path.read_bytes()
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _clean_jpeg(content, _orientation(path)), ".jpg"
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _clean_png(content, _orientation(path)), ".png"
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _clean_webp(content, _orientation(path)), ".webp"
    except (ValueError, struct.error, IndexError, OSError) as error:
        raise SightlineError(f"{path}: cannot be read as an image ({error}).") from error
    return _as_png(path), ".png"


def _orientation(path: Path) -> int:
    with Image.open(path) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if isinstance(orientation, int) else 1


def _exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()


def _clean_jpeg(content: bytes, orientation: int) -> bytes:
    """Of the application segments keep JFIF, the colour profile and Adobe's colour transform."""
    kept = [b"\xff\xd8"]
    turned = _exif_of(orientation) if orientation > 1 else None
    for marker, segment in _jpeg_segments(content):
        if marker == 0xE0 and segment[4:9] != b"JFIF\0":
            continue  # JFXX: a preview
        if marker == 0xE2 and segment[4:16] != b"ICC_PROFILE\0":
            continue
        if (0xE1 <= marker <= 0xEF and marker not in (0xE2, 0xEE)) or marker == 0xFE:
            continue
        if turned is not None and marker != 0xE0:
            kept.append(b"\xff\xe1" + struct.pack(">H", len(turned) + 2) + turned)
            turned = None
        kept.append(segment)
    return b"".join(kept)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and whole segment, up to the end of the image; what follows it (previews) is left out."""
    place = 2
    while True:
        while content[place] == 0xFF and content[place + 1] == 0xFF:
            place += 1  # padding
        if content[place] != 0xFF:
            raise ValueError(f"no JPEG marker at byte {place}")
        marker = content[place + 1]
        if marker == 0xD9:
            yield marker, content[place : place + 2]
            return
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:  # the compressed pixels follow, in which markers are only these
            found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]").search(content, end)
            end = found.start() if found else len(content)
        yield marker, content[place:end]
        if end >= len(content):
            return
        place = end


_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT cICP bKGD pHYs acTL fcTL fdAT".split()
)


def _png_says_more(path: str | Path) -> bool:
    """Whether there is a chunk that may hold EXIF or XMP, before the pixels or after them."""
    with Path(path).open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", header)
            if name in (b"eXIf", b"iTXt", b"zTXt", b"tEXt"):
                return True
            file.seek(length + 4, 1)
    return False


def _clean_png(content: bytes, orientation: int) -> bytes:
    kept, place = [content[:8]], 8
    while place < len(content):
        length, name = struct.unpack(">I4s", content[place : place + 8])
        if name in _PNG_KEPT:
            kept.append(content[place : place + length + 12])
        if name == b"IHDR" and orientation > 1:
            exif = b"eXIf" + _exif_of(orientation).removeprefix(b"Exif\0\0")
            kept.append(struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif)))
        if name == b"IEND":
            break
        place += length + 12
    return b"".join(kept)


def _clean_webp(content: bytes, orientation: int) -> bytes:
    kept, place = [], 12
    while place + 8 <= len(content):
        name, length = struct.unpack("<4sI", content[place : place + 8])
        chunk = content[place : place + 8 + length + length % 2]
        if name == b"VP8X":
            flags = chunk[8] & ~0b0000_1100 | (0b0000_1000 if orientation > 1 else 0)
            chunk = chunk[:8] + bytes([flags]) + chunk[9:]
        if name not in (b"EXIF", b"XMP "):
            kept.append(chunk)
        place += 8 + length + length % 2
    if orientation > 1:
        exif = _exif_of(orientation).removeprefix(b"Exif\0\0")
        kept.append(struct.pack("<4sI", b"EXIF", len(exif)) + exif + b"\0" * (len(exif) % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _as_png(path: Path) -> bytes:
    pixels = read_bands(path)
    if pixels.shape[2] not in (1, 3, 4) or pixels.dtype not in (np.uint8, np.uint16):
        raise SightlineError(
            f"{path}: has {pixels.shape[2]} bands of {pixels.dtype}, which cannot be stored without the "
            "metadata of its format; leave it out."
        )
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()


def _degrees(parts: Any, reference: Any) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
        value = degrees + minutes / 60 + seconds / 3600
        text = reference.decode() if isinstance(reference, bytes) else str(reference or "")
        value = -value if text.strip("\0 ").upper() in ("S", "W") else value
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return value if -180 <= value <= 180 else None


def _degrees_of_text(text: str) -> float | None:
    """``51.5``, ``51,30.5N`` (degrees, minutes) or ``51,30,30N``, as XMP writes it."""
    match = re.fullmatch(r"\s*([+-]?[\d.]+)(?:,([\d.]+))?(?:,([\d.]+))?\s*([NSEWnsew]?)\s*", text)
    if match is None:
        return None
    degrees, minutes, seconds, reference = match.groups()
    return _degrees((degrees, minutes or 0, seconds or 0), reference)
