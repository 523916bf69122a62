"""Datasets: samples and their annotations; read, write, split, draw.

Importing this does not import torch; `sightline.data.loading` does.
"""

from sightline.data.context import Attribution, CameraInfo, License, Orientation, Position, VideoInfo
from sightline.data.dataset import Dataset
from sightline.data.info import ClassInfo, DatasetInfo, TaskInfo
from sightline.data.primitives import (
    PRIMITIVES,
    Bbox,
    Bitmask,
    Classification,
    Point,
    Polygon,
    Primitive,
    Segmentation,
)
from sightline.data.sample import Sample
from sightline.data.schema import SAMPLE_SCHEMA
from sightline.data.splits import SPLITS, TEST, TRAIN, UNDEFINED, VALIDATION

__all__ = [
    "PRIMITIVES",
    "SAMPLE_SCHEMA",
    "SPLITS",
    "TEST",
    "TRAIN",
    "UNDEFINED",
    "VALIDATION",
    "Attribution",
    "Bbox",
    "Bitmask",
    "CameraInfo",
    "ClassInfo",
    "Classification",
    "Dataset",
    "DatasetInfo",
    "License",
    "Orientation",
    "Point",
    "Polygon",
    "Position",
    "Primitive",
    "Sample",
    "Segmentation",
    "TaskInfo",
    "VideoInfo",
]
