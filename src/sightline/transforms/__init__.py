"""Transforms beyond torchvision's: for images from above, for boxes, and the way into a model."""

from sightline.transforms.aerial import D4, BandJitter, Dropout, RandomAffine, RandomWindow
from sightline.transforms.fit import FitImage

__all__ = ["D4", "BandJitter", "Dropout", "FitImage", "RandomAffine", "RandomWindow"]
