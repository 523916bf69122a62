"""An upright box around an object."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image, ImageDraw

from sightline.data.primitives.base import Region
from sightline.data.primitives.drawing import Labels, class_colour, line_width


@dataclass(slots=True, kw_only=True)
class Bbox(Region):
    """A box; all four numbers are fractions of the image's width and height, 0..1 from the top left."""

    column: ClassVar[str] = "bboxes"

    top_left_x: float
    top_left_y: float
    width: float
    height: float
    task_name: str = "object_detection"

    @classmethod
    def from_pixels(
        cls,
        *,
        left: float,
        top: float,
        width: float,
        height: float,
        image_width: int,
        image_height: int,
        class_name: str | None = None,
    ) -> "Bbox":
        """A box given in pixels (COCO's x, y, width, height) of an image of the given size."""
        return cls(
            top_left_x=left / image_width,
            top_left_y=top / image_height,
            width=width / image_width,
            height=height / image_height,
            class_name=class_name,
        )

    def to_pixels(self, image_width: int, image_height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge in pixels, not rounded."""
        left, top = self.top_left_x * image_width, self.top_left_y * image_height
        return left, top, left + self.width * image_width, top + self.height * image_height

    def draw_shape(self, image: Image.Image, labels: Labels, *, nested: bool) -> None:  # noqa: D102 (see Primitive)
        colour = class_colour(str(self.class_name))
        left, top, right, bottom = self.to_pixels(*image.size)
        # Pillow includes the last pixel, and refuses a box whose corners are in the wrong order.
        corners = (left, top, max(left, right - 1), max(top, bottom - 1))
        ImageDraw.Draw(image).rectangle(corners, outline=colour, width=line_width(image, nested))
        self.draw_attributes(image, labels)
        if not nested:
            labels.add((left, top), bottom, self.label(), str(self.class_name), colour)
