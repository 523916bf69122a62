"""A class for the whole image, or an attribute of another annotation."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from sightline.data.primitives.base import Primitive
from sightline.data.primitives.drawing import class_colour, draw_label


@dataclass(slots=True, kw_only=True)
class Classification(Primitive):
    """The image (or the annotation that carries this one as an attribute) is of a class."""

    column: ClassVar[str] = "classifications"

    task_name: str = "image_classification"

    def draw(self, image: Image.Image, *, nested: bool = False, anchor: tuple[int, int] = (0, 0)) -> None:
        """Write the class with its corner at ``anchor`` (x, y); nothing where it is an attribute."""
        if nested:
            return
        text = self.label()
        if self.task_name != "image_classification":
            text = f"{self.task_name}: {text}"
        draw_label(image, anchor, text, class_colour(str(self.class_name)), above=False)
