"""Models by name: `classifier`, `segmenter` and `detector` are plain functions that give an ``nn.Module``.

Importing this imports torch, which the extra ``train`` installs.
"""

from sightline.models.classification import classifier
from sightline.models.detection import detector
from sightline.models.listing import list_models
from sightline.models.segmentation import segmenter

__all__ = ["classifier", "detector", "list_models", "segmenter"]
