"""Apply a model to georeferenced rasters of any size: tile by tile, with the result of the whole image."""

from sightline.deploy.raster.outputs import ClassRaster, Polygons, ScoreRaster
from sightline.deploy.raster.postprocessing import Postprocessing
from sightline.deploy.raster.predict import Progress, RasterResult, predict_raster
from sightline.deploy.raster.settings import RasterSettings
from sightline.deploy.raster.several import RasterResults, predict_rasters
from sightline.deploy.raster.tiling import TileSettings

__all__ = [
    "ClassRaster",
    "Polygons",
    "Postprocessing",
    "Progress",
    "RasterResult",
    "RasterResults",
    "RasterSettings",
    "ScoreRaster",
    "TileSettings",
    "predict_raster",
    "predict_rasters",
]
