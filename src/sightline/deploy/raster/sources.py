"""What a user may give as a raster, and what GDAL opens for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.data.remote.urls import remote_url
from sightline.deploy.raster.mosaic import mosaic
from sightline.deploy.raster.sentinel import is_safe, safe_raster
from sightline.errors import SightlineError

Source = str | Path | Sequence[str | Path]
"""A file that GDAL reads (GeoTIFF, COG, VRT, JPEG 2000, PNG, ...), here or under http(s)://, s3:// or gs://;
the folder of a Sentinel-2 product (.SAFE); or several files of one grid, which are taken as one mosaic."""

_HTTP = re.compile(r"(https?):/+(.*)", re.DOTALL)
_GDAL_SCHEMES = {"s3": "/vsis3/", "gs": "/vsigs/"}


@dataclass(frozen=True)
class Location:
    """A raster to be read: ``name`` for people, ``gdal_name`` for GDAL, which may be a virtual raster's text.

    ``files`` are those on this machine that it is made of, so far as they are known.
    """

    name: str
    gdal_name: str
    files: tuple[Path, ...]
    remote: bool = False


def locate(source: Source) -> Location:
    """Where the raster is.

    Raises:
        SightlineError: the file is missing, the folder is no Sentinel-2 product, or the files do not make one
            mosaic.
    """
    if not isinstance(source, str | Path):
        return _mosaic([locate(part) for part in source])
    if url := _remote(str(source)):
        return Location(url[0], url[1], (), remote=True)
    path = Path(source).absolute()
    if not path.exists():
        raise SightlineError(f"{source}: raster not found.")
    if is_safe(path):
        raster, files = safe_raster(path)
        return Location(str(source), raster.text(), tuple(files))
    if path.is_dir():
        raise SightlineError(f"{source}: is a folder, and no Sentinel-2 product (.SAFE); give a raster file.")
    return Location(str(source), str(path), (path,))


def _mosaic(parts: list[Location]) -> Location:
    if not parts:
        raise SightlineError("no raster was given.")
    if len(parts) == 1:
        return parts[0]
    remote = any(part.remote for part in parts)
    raster = mosaic([(part.name, part.gdal_name) for part in parts], remote)
    name = f"{parts[0].name} and {len(parts) - 1} more"
    return Location(name, raster.text(), tuple(file for part in parts for file in part.files), remote)


def _remote(source: str) -> tuple[str, str] | None:
    """The URL, and GDAL's name for it; None for a path of this machine."""
    if web := _HTTP.fullmatch(source):
        url = f"{web[1]}://{web[2]}"
        return url, f"/vsicurl/{url}"
    if url := remote_url(source):
        scheme, _, rest = url.partition("://")
        return url, _GDAL_SCHEMES[scheme] + rest
    return None
