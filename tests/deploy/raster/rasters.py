"""Rasters on disk, models that are exact functions, and the result that a whole image gives."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import TileSettings
from sightline.deploy.raster.reading import Border

rasterio = pytest.importorskip("rasterio", reason="needs rasterio, which is missing on this machine")

for _part in ("control", "errors", "features", "warp"):
    importlib.import_module(f"rasterio.{_part}")

CLASSES = ("land", "water", "cloud")
UTM = "EPSG:32632"
PLACE = rasterio.Affine(2.0, 0, 500_000, 0, -2.0, 5_000_000)


def write_raster(path: Path, pixels: np.ndarray, mask: np.ndarray | None = None, **profile: Any) -> Path:
    """(bands, height, width) as a GeoTIFF in UTM; ``mask`` becomes the mask of all bands."""
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    count, height, width = pixels.shape
    settings: dict[str, Any] = {"crs": UTM, "transform": PLACE, "compress": "deflate"}
    settings = {key: value for key, value in (settings | profile).items() if value is not None}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=pixels.dtype, **settings
        ) as target,
    ):
        target.write(pixels)
        if mask is not None:
            target.write_mask(mask)
    return path


def read_raster(path: Path) -> np.ndarray:
    """All bands of a file: (bands, height, width)."""
    with rasterio.open(path) as raster:
        return raster.read()


def noise(height: int, width: int, seed: int = 0, bands: int = 3, dtype: str = "uint8") -> np.ndarray:
    """Values of 1 to 250."""
    return np.random.default_rng(seed).integers(1, 251, (bands, height, width)).astype(dtype)


def identity(images: np.ndarray) -> np.ndarray:
    """The bands are the scores."""
    return images


def local_model(radius: int) -> Any:
    """A model that looks ``radius`` pixels far in each direction, exactly; 0 is what lies outside, as for a
    convolution. Three classes, and a result that turns with noise."""

    def model(images: np.ndarray) -> np.ndarray:
        total = images.astype(np.int64).sum(axis=1)
        padded = np.pad(total, ((0, 0), (radius, radius), (radius, radius)))
        height, width = total.shape[1:]
        outputs = []
        for weights in ((3, 1, 4), (1, 5, 9), (2, 6, 5)):
            left = padded[:, radius : radius + height, :width]
            right = padded[:, radius : radius + height, 2 * radius :]
            above = padded[:, :height, radius : radius + width]
            below = padded[:, 2 * radius :, 2 * radius :]
            mixed = weights[0] * left + weights[1] * right + weights[2] * above + below + 7 * total
            outputs.append(mixed % (997 + 10 * weights[0]))
        return np.stack(outputs, axis=1).astype(np.float32)

    return model


def whole_image(
    model: Any,
    pixels: np.ndarray,
    valid: np.ndarray,
    settings: TileSettings,
    fill: float = 0,
    border: Border = "repeat",
) -> np.ndarray:
    """The class map that ``model`` gives for the image as one tile: uint8 (height, width)."""
    _, height, width = pixels.shape
    least = settings.tile if settings.fixed_size else 1
    filled = np.where(valid, pixels, np.asarray(fill, pixels.dtype))
    more = [max(-(-side // settings.multiple) * settings.multiple, least) - side for side in (height, width)]
    beyond: dict[str, Any] = {"mode": "edge"} if border == "repeat" else {"constant_values": fill}
    padded = np.pad(filled, ((0, 0), (0, more[0]), (0, more[1])), **beyond)
    outputs = np.asarray(model(padded[None]))[0, :, :height, :width]
    return np.where(valid, outputs.argmax(axis=0), NO_CLASS).astype(np.uint8)
