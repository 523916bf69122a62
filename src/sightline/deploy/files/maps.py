"""Maps of georeferenced rasters with a model, as its card says; see `sightline.deploy.raster`."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from sightline.config import load_text, to_yaml
from sightline.data.images import as_eight_bits
from sightline.deploy.predictor import Predictor
from sightline.deploy.raster import (
    ClassRaster,
    Polygons,
    Progress,
    RasterResult,
    RasterResults,
    RasterSettings,
    ScoreRaster,
    TileSettings,
    predict_raster,
    predict_rasters,
)
from sightline.deploy.raster.outputs import POLYGON_SUFFIXES, RASTER_SUFFIXES, Compression, Overviews
from sightline.errors import SightlineError

logger = logging.getLogger("sightline.deploy")

SUFFIXES = (*RASTER_SUFFIXES, *POLYGON_SUFFIXES)
"""Endings of maps."""


class MapSettings(RasterSettings):
    """How maps are made: see `RasterSettings`, and what of it is written how."""

    compression: Compression = "deflate"
    """Of the pixels of a ``.tif``."""
    overviews: Overviews = "nearest"
    """How its reduced pictures are made."""
    smooth: int = Field(default=0, ge=0, le=8)
    """Rounds of smoothing of polygons."""
    min_area: int = Field(default=0, ge=0)
    """Polygons of fewer pixels are left out."""
    leave_out: tuple[int, ...] = ()
    """Numbers of classes without polygons, such as a background."""


def map_settings(predictor: Predictor, overrides: Sequence[str] = ()) -> MapSettings:
    """The settings that a model's card asks for, with ``overrides`` such as ``tiles.tile=512``.

    Raises:
        SightlineError: the model is for no maps, or an override is wrong.
    """
    card = predictor.card
    if card.task != "segmentation":
        raise SightlineError(f"maps are made by segmentation, and this model does {card.task}.")
    tiles = TileSettings()
    changes: dict[str, object] = {"multiple": max(tiles.multiple, card.input.multiple)}
    if card.input.size is not None:
        height, width = card.input.size
        if height != width:
            raise SightlineError(
                f"the model takes images of {height} x {width} pixels only, and tiles are square; export it "
                "as onnx, or train it with a square preprocessing.size."
            )
        changes = {"tile": height, "multiple": height, "fixed_size": True}
    as_they_are = card.preprocessing.size is None and card.preprocessing.multiple == 1
    base = MapSettings(
        bands=list(card.preprocessing.bands),
        fill=card.preprocessing.fill,
        border="repeat" if as_they_are else "fill",
        tiles=tiles.model_copy(update=changes),
        batch_size=card.input.batch or 1,
        activation="none",
    )
    return load_text(MapSettings, to_yaml(base), overrides, name="the settings of the map")


def make_map(
    predictor: Predictor,
    sources: Sequence[str],
    target: Path,
    settings: MapSettings,
    *,
    scores: Path | None = None,
    model_key: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RasterResult:
    """Make one map, of a raster or of several as one mosaic.

    Args:
        predictor: of a segmentation model.
        sources: files, URLs, Sentinel-2 products.
        target: a ``.tif``, ``.gpkg`` or ``.geojson``.
        settings: see `map_settings`.
        scores: a ``.tif`` for the score of each class as well.
        model_key: the name of the model, by which interrupted work is gone on with.
        progress: called after each batch of tiles.

    Raises:
        SightlineError: see `predict_raster`.
    """
    outputs: list[ClassRaster | Polygons | ScoreRaster] = [_output(target, settings)]
    if scores is not None:
        outputs.append(ScoreRaster(path=scores, compression=settings.compression))
    return predict_raster(
        sources[0] if len(sources) == 1 else list(sources),
        outputs,
        tile_model(predictor),
        classes=predictor.classes,
        settings=_raster_settings(settings),
        channels=predictor.card.channels,
        resume_key=model_key,
        parallel=predictor.session.parallel,
        progress=progress,
    )


def make_maps(
    predictor: Predictor,
    sources: Sequence[str],
    folder: Path,
    suffix: str,
    settings: MapSettings,
    *,
    model_key: str | None = None,
    progress: Callable[[str, Progress], None] | None = None,
) -> RasterResults:
    """Make a map of each raster, ``folder/<name><suffix>``. A raster that fails stops no other.

    Raises:
        SightlineError: see `predict_rasters`.
    """
    return predict_rasters(
        sources,
        folder,
        tile_model(predictor),
        classes=predictor.classes,
        settings=_raster_settings(settings),
        suffix=suffix,
        output=lambda path: _output(path, settings),
        channels=predictor.card.channels,
        resume_key=model_key,
        parallel=predictor.session.parallel,
        progress=progress,
    )


def tile_model(predictor: Predictor) -> Callable[[np.ndarray], np.ndarray]:
    """A function from tiles (N, bands, height, width) of any type to scores (N, classes, height, width).

    Pixels become what training made of them: bytes, where it read pictures in colour.
    """
    reads_rgb = predictor.preprocessing.reads_rgb
    told: set[np.dtype] = set()

    def model(tiles: np.ndarray) -> np.ndarray:
        if reads_rgb and tiles.dtype != np.uint8 and tiles.dtype not in told:
            told.add(tiles.dtype)
            wide = tiles.dtype.kind in "iu" and tiles.dtype.itemsize > 1
            logger.warning(
                "values of type %s become bytes as in training, %s; convert a raster of another range first.",
                tiles.dtype,
                "divided by 257" if wide else "cut off at 0 and 255",
            )
        return predictor.scores(as_eight_bits(tiles) if reads_rgb else predictor.typed(tiles))[0]

    return model


def _output(path: Path, settings: MapSettings) -> ClassRaster | Polygons:
    if path.suffix.lower() in POLYGON_SUFFIXES:
        return Polygons(
            path=path, smooth=settings.smooth, min_area=settings.min_area, leave_out=settings.leave_out
        )
    return ClassRaster(path=path, compression=settings.compression, overviews=settings.overviews)


def _raster_settings(settings: MapSettings) -> RasterSettings:
    return RasterSettings(**{name: getattr(settings, name) for name in RasterSettings.model_fields})
