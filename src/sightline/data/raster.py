"""GeoTIFFs and other rasters: windows and bands of any type, what is valid, and their place on Earth.

Bands are counted from 1, as GDAL and rasterio count them. rasterio is imported at the first use.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.remote.urls import not_found
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

RASTER_SUFFIXES = frozenset({".tif", ".tiff"})

CUSTOMARY_NODATA = -9999
"""What rasters of signed and floating types hold where nothing was measured, also undeclared."""

_PROBE = 256  # side of the reduced picture of a band that tells transparency from data
_CACHE = 256  # MB of decoded blocks that GDAL keeps for all files; its default is 5 % of the memory
_SMALL = 512  # rasters with no side above this are stored as one strip, larger ones in blocks


def is_raster(path: Path) -> bool:
    """Whether the file's name says that it is a TIFF."""
    return path.suffix.lower() in RASTER_SUFFIXES


def rasterio_available() -> bool:
    """Whether the extra ``geo`` is installed."""
    return find_spec("rasterio") is not None


@dataclass(frozen=True)
class Georeference:
    """Where pixels are on Earth, and what else of a raster is not its pixels.

    ``transform`` takes (column, row) to world coordinates in ``crs``; both are None for an image without
    a place. Ground control points and rational polynomials (``rpcs``) are the other ways to say so.
    """

    transform: "Affine | None" = None
    crs: "CRS | None" = None
    gcps: Sequence[Any] = ()
    gcps_crs: "CRS | None" = None
    rpcs: Any = None
    nodata: float | None = None
    descriptions: Sequence[str | None] = ()
    colours: Sequence[Any] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, raster: "DatasetReader") -> "Georeference":
        """That of an open raster."""
        points, points_crs = raster.gcps
        identity = raster.transform.is_identity
        area_or_point = raster.tags().get("AREA_OR_POINT")
        return cls(
            transform=None if identity else raster.transform,
            crs=raster.crs,
            gcps=tuple(points),
            gcps_crs=points_crs,
            rpcs=raster.rpcs,
            nodata=raster.nodata,
            descriptions=raster.descriptions,
            colours=_colours(raster),
            tags={"AREA_OR_POINT": area_or_point} if area_or_point else {},
        )

    def world(self, column: float, row: float) -> tuple[float, float]:
        """Where the upper left corner of a pixel is, by the transform."""
        assert self.transform is not None
        a, b, c, d, e, f = self.transform[:6]
        return a * column + b * row + c, d * column + e * row + f

    def pixels_from(self, other: "Georeference", column: float, row: float) -> tuple[float, float]:
        """How many pixels, in x and y, the place of a pixel here is from that of the same pixel there."""
        assert self.transform is not None
        a, b, _, d, e, _ = self.transform[:6]
        distance = np.subtract(other.world(column, row), self.world(column, row))
        x, y = np.linalg.solve([[a, b], [d, e]], distance)
        return float(x), float(y)

    def of_window(self, left: int, top: int) -> "Georeference":
        """That of a window whose first pixel is (``left``, ``top``)."""
        from rasterio.control import GroundControlPoint

        rpcs = self.rpcs
        if rpcs is not None:
            values = rpcs.to_dict()
            moved = {"line_off": values["line_off"] - top, "samp_off": values["samp_off"] - left}
            rpcs = type(rpcs)(**(values | moved))
        transform = self.transform
        if transform is not None:
            x, y = self.world(left, top)
            a, b, _, d, e, _ = transform[:6]
            transform = type(transform)(a, b, x, d, e, y)
        return replace(
            self,
            transform=transform,
            gcps=tuple(
                GroundControlPoint(p.row - top, p.col - left, p.x, p.y, p.z, p.id, p.info) for p in self.gcps
            ),
            rpcs=rpcs,
        )

    def of_bands(self, bands: Sequence[int]) -> "Georeference":
        """That of a raster of only these bands."""
        return replace(
            self,
            descriptions=tuple(self.descriptions[band - 1] for band in bands) if self.descriptions else (),
            colours=tuple(self.colours[band - 1] for band in bands) if self.colours else (),
        )

    def of_labels(self, nodata: float | None) -> "Georeference":
        """That of a label map of the same place."""
        return replace(self, nodata=nodata, descriptions=(), colours=())


@contextmanager
def opened(path: str | Path) -> "Iterator[DatasetReader]":
    """The raster, open for reading by this thread.

    Raises:
        SightlineError: rasterio is not installed, the file is missing or no raster, or, within the
            block, damaged.
    """
    rasterio = _rasterio(path)
    if not Path(path).exists():
        raise not_found(path)
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE), rasterio.open(path) as raster:
            if not raster.count:
                raise SightlineError(f"{path}: has no bands; give one of its subdatasets as a file.")
            yield raster
    except (rasterio.errors.RasterioError, rasterio.errors.RasterioIOError) as error:
        reason = str(error.__cause__ or error).replace(str(path), "the file").strip().rstrip(".")
        raise SightlineError(f"{path}: cannot be read as an image ({reason}).") from error


def checked_bands(path: str | Path, count: int, bands: Sequence[int] | None) -> list[int]:
    """The bands asked for, all where ``bands`` is None.

    Raises:
        SightlineError: a band that an image of ``count`` bands does not have.
    """
    chosen = list(range(1, count + 1)) if bands is None else list(bands)
    wrong = [band for band in chosen if not 1 <= band <= count]
    if wrong or not chosen:
        what = f"band {wrong[0]}" if wrong else "no band"
        raise SightlineError(f"{path}: {what} was asked for; it has bands 1 to {count}.")
    return chosen


def read_pixels(
    raster: "DatasetReader",
    bands: Sequence[int] | None = None,
    window: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
    """Pixels in the raster's own type, (height, width, bands); ``window`` is left, top, width, height."""
    chosen = checked_bands(raster.name, raster.count, bands)
    return np.moveaxis(raster.read(chosen, window=_window(window)), 0, 2)


def has_mask(raster: "DatasetReader") -> bool:
    """Whether the raster itself says where it holds data: by a nodata value, a mask or an alpha band."""
    from rasterio.enums import MaskFlags

    flags = raster.mask_flag_enums[0]
    transparent = MaskFlags.per_dataset in flags or MaskFlags.alpha in flags
    return MaskFlags.nodata in flags or (transparent and not _alpha_is_data(raster))


def read_validity(
    raster: "DatasetReader",
    pixels: np.ndarray,
    window: tuple[int, int, int, int] | None = None,
    *,
    masked: bool,
) -> np.ndarray:
    """Where the raster holds data: bool (height, width). ``pixels`` are those of the same window.

    Not valid is, with ``masked`` (see `has_mask`), what the file's mask or alpha band leaves out, and
    where all bands are ``nodata``; and always where any of ``pixels`` is NaN or infinite, or, in signed
    and floating types, `CUSTOMARY_NODATA`.
    """
    from rasterio.enums import MaskFlags

    valid = np.ones(pixels.shape[:2], dtype=bool)
    if masked:
        # Of a file with both, raster.dataset_mask would take the alpha band. A mask that is not made of
        # nodata is the same for all bands, but for the alpha band, of which everything is valid.
        by_nodata = MaskFlags.nodata in raster.mask_flag_enums[0]
        masks = raster.read_masks(None if by_nodata else [1], window=_window(window))
        valid &= (masks != 0).any(axis=0)
    if pixels.dtype.kind in "fc":
        valid &= np.isfinite(pixels).all(axis=2)
    if pixels.dtype.kind in "if" and pixels.dtype.itemsize > 1:
        valid &= (pixels != CUSTOMARY_NODATA).all(axis=2)
    return valid


def write_geotiff(
    path: Path, pixels: np.ndarray, place: Georeference, valid: np.ndarray | None = None
) -> None:
    """Write (height, width, bands) as a GeoTIFF, losslessly compressed, at ``path``.

    The profile is made anew: that of the source may not fit (JPEG in YCbCr takes three bands of bytes).
    ``valid`` (bool, height x width) becomes an internal mask where the place has no ``nodata`` value.
    """
    rasterio = _rasterio(path)
    from rasterio.enums import ColorInterp

    height, width, count = pixels.shape
    blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256} if max(height, width) > _SMALL else {}
    colours = list(place.colours) or [ColorInterp.gray] + [ColorInterp.undefined] * (count - 1)
    is_rgb = colours[:3] == [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    alpha = "YES" if colours[-1] == ColorInterp.alpha else "NO"
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=count, dtype=pixels.dtype,
            crs=place.crs if place.transform is not None or not place.gcps else place.gcps_crs,
            nodata=place.nodata, compress="deflate", interleave="pixel",
            photometric="RGB" if is_rgb and pixels.dtype in (np.uint8, np.uint16) else "MINISBLACK",
            alpha=alpha,
            **({"transform": place.transform} if place.transform is not None else {}),
            **({"gcps": list(place.gcps)} if place.transform is None and place.gcps else {}),
            **({"rpcs": place.rpcs} if place.rpcs is not None else {}), **blocks,
        ) as target,
    ):  # fmt: skip
        target.write(np.moveaxis(pixels, 2, 0))
        for band, description in enumerate(place.descriptions, 1):
            if description:
                target.set_band_description(band, description)
        if place.tags:
            target.update_tags(**place.tags)
        if valid is not None and place.nodata is None and not valid.all() and alpha == "NO":
            target.write_mask(valid)


def _colours(raster: "DatasetReader") -> tuple[Any, ...]:
    """What each band shows, where transparency is only what is used as such."""
    from rasterio.enums import ColorInterp

    shown = raster.colorinterp
    if not _alpha_is_data(raster):
        return shown
    return tuple(ColorInterp.undefined if colour == ColorInterp.alpha else colour for colour in shown)


def _alpha_is_data(raster: "DatasetReader") -> bool:
    """Whether the band declared as transparency is in truth one of data, such as near infrared.

    Writers of TIFF declare the fourth of four 8-bit bands an alpha band unless they are told otherwise.
    True transparency is either full or none, but for soft edges.
    """
    from rasterio.enums import ColorInterp

    if ColorInterp.alpha not in raster.colorinterp:
        return False
    band = raster.colorinterp.index(ColorInterp.alpha) + 1
    shape = (min(_PROBE, raster.height), min(_PROBE, raster.width))
    reduced = raster.read(band, out_shape=shape)
    full = np.iinfo(reduced.dtype).max if reduced.dtype.kind in "iu" else 1
    return bool(((reduced != 0) & (reduced != full)).mean() > 0.1)


def _window(window: tuple[int, int, int, int] | None) -> Any:
    if window is None:
        return None
    from rasterio.windows import Window

    left, top, width, height = window
    return Window(left, top, width, height)  # pyright: ignore[reportCallIssue] (attrs makes its __init__)


def _rasterio(path: str | Path) -> Any:
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        raise SightlineError(
            f"{path}: this TIFF needs rasterio; install it with pip install 'sightline[geo]'."
        ) from None
    # An image without a place on Earth is no fault, and a nodata value goes before an alpha band. Each call
    # anew: warnings.catch_warnings, under which tests run, forgets it, and is not safe inside threads.
    for category in (rasterio.errors.NotGeoreferencedWarning, rasterio.errors.NodataShadowWarning):
        warnings.filterwarnings("ignore", category=category)
    return rasterio
