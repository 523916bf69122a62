"""Detectors by name: Sightline's own, torchvision's, and those of transformers that say each object once.

`detector` builds them; all are a `Detector`, which says how they are called.
"""

from sightline.models.detection.building import DETECTORS, detector, light
from sightline.models.detection.detector import Detector, Raw, Targets
from sightline.models.detection.selection import Detected, select_boxes

__all__ = ["DETECTORS", "Detected", "Detector", "Raw", "Targets", "detector", "light", "select_boxes"]
