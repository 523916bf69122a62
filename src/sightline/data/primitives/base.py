"""What every annotation has in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from sightline.data.primitives.drawing import Labels

if TYPE_CHECKING:
    from sightline.data.primitives.bbox import Bbox
    from sightline.data.primitives.bitmask import Bitmask
    from sightline.data.primitives.classification import Classification
    from sightline.data.primitives.polygon import Polygon


@dataclass(slots=True, kw_only=True)
class Primitive:
    """One annotation: what it says (class), of which task, and how sure it is.

    ``class_idx`` is the position of ``class_name`` in the task's classes; give either, and
    `Dataset.from_samples` fills in the other. ``confidence`` is 0..1, or None when it is not known.
    ``ground_truth`` is False for a prediction. ``meta`` is any JSON object. Times are ISO 8601 text.
    """

    column: ClassVar[str]
    """The column of `Dataset.samples` that holds this primitive."""

    class_name: str | None = None
    class_idx: int | None = None
    object_id: str | None = None
    confidence: float | None = None
    ground_truth: bool = True
    task_name: str = ""
    created_at: str | None = None
    updated_at: str | None = None
    meta: dict[str, Any] | None = None
    classifications: "list[Classification] | None" = None

    def label(self) -> str:
        """What is written beside the annotation: its class, its attributes' classes, its confidence."""
        name = self.class_name if self.class_name is not None else str(self.class_idx)
        if self.classifications:
            name += f" ({', '.join(attribute.label() for attribute in self.classifications)})"
        if self.confidence is not None and not self.ground_truth:
            name += f" {self.confidence:.2f}"
        return name

    def draw(self, image: Image.Image, *, nested: bool = False, labels: "Labels | None" = None) -> None:
        """Draw the annotation and its attributes onto an RGB image, in place.

        ``nested`` draws thinner and without a label. With ``labels`` the label is left to them, so that
        the labels of several annotations keep out of each other's way.
        """
        own = labels or Labels(image)
        self.draw_shape(image, own, nested=nested)
        if labels is None:
            own.draw()

    def draw_shape(self, image: Image.Image, labels: Labels, *, nested: bool) -> None:
        """Draw all but the label, and hand that to ``labels``."""
        raise NotImplementedError


@dataclass(slots=True, kw_only=True)
class Region(Primitive):
    """An annotation that covers a part of the image, and may hold annotations of any kind within it.

    ``area`` is a fraction of the image's area, 0..1, or None when it was not recorded.
    """

    area: float | None = None
    bboxes: "list[Bbox] | None" = None
    bitmasks: "list[Bitmask] | None" = None
    polygons: "list[Polygon] | None" = None

    def draw_attributes(self, image: Image.Image, labels: Labels) -> None:
        """Draw the regions nested in this one; classifications are part of the label."""
        for attributes in (self.bitmasks, self.polygons, self.bboxes):
            for attribute in attributes or ():
                attribute.draw_shape(image, labels, nested=True)
