"""Annotations: one class per kind, each of which can draw itself."""

from sightline.data.primitives.base import Primitive, Region
from sightline.data.primitives.bbox import Bbox
from sightline.data.primitives.bitmask import Bitmask, Segmentation
from sightline.data.primitives.classification import Classification
from sightline.data.primitives.polygon import Point, Polygon

PRIMITIVES: tuple[type[Primitive], ...] = (Classification, Bbox, Bitmask, Polygon, Segmentation)
"""Every kind of annotation."""

PRIMITIVE_OF_COLUMN: dict[str, type[Primitive]] = {
    primitive.column: primitive for primitive in (Classification, Bbox, Bitmask, Polygon)
}
"""What a column of `Dataset.samples` holds, unless its task says that it is a `Segmentation`."""

__all__ = [
    "PRIMITIVES",
    "PRIMITIVE_OF_COLUMN",
    "Bbox",
    "Bitmask",
    "Classification",
    "Point",
    "Polygon",
    "Primitive",
    "Region",
    "Segmentation",
]
