"""Transforms beyond torchvision's: for images from above, for boxes, and the way into a model."""

from sightline.transforms.aerial import D4, BandJitter, Dropout, RandomAffine, RandomWindow
from sightline.transforms.boxes import RandomZoom
from sightline.transforms.fit import FitImage
from sightline.transforms.mosaic import Mosaic

__all__ = [
    "D4",
    "BandJitter",
    "Dropout",
    "FitImage",
    "Mosaic",
    "RandomAffine",
    "RandomWindow",
    "RandomZoom",
]
