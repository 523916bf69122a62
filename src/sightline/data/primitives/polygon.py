"""The outline of an object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from PIL import Image, ImageDraw

from sightline.data.primitives.base import Region
from sightline.data.primitives.drawing import Labels, class_colour, line_width, tint


class Point(NamedTuple):
    """A place in the image, as fractions of its width and height, 0..1 from the top left."""

    x: float
    y: float


@dataclass(slots=True, kw_only=True)
class Polygon(Region):
    """A closed outline; the last point is joined to the first."""

    column: ClassVar[str] = "polygons"

    points: list[Point]
    task_name: str = "polygon_detection"

    @classmethod
    def from_pixels(
        cls,
        points: Sequence[Sequence[float]],
        *,
        image_width: int,
        image_height: int,
        class_name: str | None = None,
    ) -> "Polygon":
        """A polygon from (x, y) pairs in pixels of an image of the given size."""
        return cls(
            points=[Point(x / image_width, y / image_height) for x, y in points], class_name=class_name
        )

    def to_pixels(self, image_width: int, image_height: int) -> list[tuple[float, float]]:
        """The points as (x, y) in pixels, not rounded."""
        return [(x * image_width, y * image_height) for x, y in self.points]

    def draw_shape(self, image: Image.Image, labels: Labels, *, nested: bool) -> None:  # noqa: D102 (see Primitive)
        if not self.points:
            return
        colour = class_colour(str(self.class_name))
        points = self.to_pixels(*image.size)
        if len(points) > 2:
            inside = Image.new("L", image.size, 0)
            ImageDraw.Draw(inside).polygon(points, fill=255)
            tint(image, inside, colour, 0.1 if nested else 0.2)
        ImageDraw.Draw(image).line(
            [*points, points[0]], fill=colour, width=line_width(image, nested), joint="curve"
        )
        self.draw_attributes(image, labels)
        if not nested:
            corner = (min(x for x, _ in points), min(y for _, y in points))
            labels.add(corner, max(y for _, y in points), self.label(), str(self.class_name), colour)
