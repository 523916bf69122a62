"""GDAL, which reads and writes rasters, with settings and errors of our own. rasterio is imported at first
use."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sightline.errors import SightlineError

_CACHE = 256  # MB of decoded blocks that GDAL keeps for all files; its default is 5 % of the memory
_OPEN = 32  # files that a virtual raster keeps open; GDAL's default is 450, each with room for a block
_REMOTE: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no listing of what lies beside a remote file
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
}


@contextmanager
def gdal(remote: bool = False, **options: Any) -> Iterator[Any]:
    """The module ``rasterio`` within an environment for this thread; datasets are for one thread as well.

    ``options`` are GDAL's, besides those that all have.

    Raises:
        SightlineError: rasterio is not installed.
    """
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        raise SightlineError("rasters need rasterio; install it with pip install 'sightline[geo]'.") from None
    # That an image has no place on Earth is said by us, once; and a nodata value goes before an alpha band.
    for category in (rasterio.errors.NotGeoreferencedWarning, rasterio.errors.NodataShadowWarning):
        warnings.filterwarnings("ignore", category=category)
    options |= _REMOTE if remote else {}
    with rasterio.Env(GDAL_CACHEMAX=_CACHE, GDAL_MAX_DATASET_POOL_SIZE=_OPEN, **options):
        yield rasterio


@contextmanager
def one_sentence(name: str, problem: str) -> Iterator[None]:
    """Turn an error of GDAL within the block into ``name: problem (GDAL's reason).``"""
    from rasterio.errors import RasterioError, RasterioIOError

    try:
        yield
    except (RasterioError, RasterioIOError) as error:
        raise SightlineError(f"{name}: {problem} ({_reason(error)}).") from error


def row_window(start: int, stop: int, width: int) -> Any:
    """The rows from ``start`` up to ``stop``, in full width, as rasterio takes them."""
    from rasterio.windows import Window

    return Window(0, start, width, stop - start)  # pyright: ignore[reportCallIssue] (attrs makes its __init__)


def _reason(error: BaseException) -> str:
    """What GDAL says first, on one line and without the text of a virtual raster."""
    while error.__cause__ is not None:
        error = error.__cause__
    reason = re.sub(r"<VRTDataset.*</VRTDataset>", "the raster", str(error), flags=re.DOTALL)
    return " ".join(reason.split()).rstrip(".") or type(error).__name__
