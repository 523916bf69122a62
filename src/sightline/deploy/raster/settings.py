"""How a model is applied to rasters."""

from typing import Annotated

from pydantic import Field

from sightline.config import Config
from sightline.deploy.raster.deciding import Activation
from sightline.deploy.raster.postprocessing import Postprocessing
from sightline.deploy.raster.reading import Border
from sightline.deploy.raster.tiling import TileSettings


class RasterSettings(Config):
    """How a model is applied to rasters."""

    bands: Annotated[list[int | str], Field(min_length=1)] | None = None
    """Bands in the order in which the model takes them: numbers from 1, or names (as of Sentinel-2 products:
    B04); all but an alpha band by default."""
    fill: float = 0
    """What pixels without data are for the model."""
    border: Border = "repeat"
    """What an image is filled up with where it must be: its last row and column again, as models of any size
    do themselves, or ``fill``, as `Preprocessing` does."""
    tiles: TileSettings = TileSettings()
    """How the image is cut into tiles."""
    batch_size: int = Field(default=1, gt=0)
    """Tiles that the model is given at once."""
    symmetric: bool = False
    """Take the mean over the eight ways to turn and mirror a tile (test-time augmentation); eight times
    slower."""
    activation: Activation = "softmax"
    """From the model's outputs to scores; ``none`` where they are scores already. A single channel, for two
    classes, is the logit (or with ``none`` the score) of the second."""
    postprocessing: Postprocessing = Postprocessing()
    """What is mended in the class map."""
