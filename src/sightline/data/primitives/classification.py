"""A class for the whole image, or an attribute of another annotation."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from sightline.data.primitives.base import Primitive
from sightline.data.primitives.drawing import Labels, class_colour


@dataclass(slots=True, kw_only=True)
class Classification(Primitive):
    """The image (or the annotation that carries this one as an attribute) is of a class."""

    column: ClassVar[str] = "classifications"

    task_name: str = "image_classification"

    def draw_shape(self, image: Image.Image, labels: Labels, *, nested: bool) -> None:  # noqa: ARG002, D102
        if nested:
            return  # part of the label of what carries it
        text = self.label()
        if self.task_name != "image_classification":
            text = f"{self.task_name}: {text}"
        labels.add_to_legend(text, class_colour(str(self.class_name)))
