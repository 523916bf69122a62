"""Which columns of a Hugging Face dataset hold the image, the classes, the boxes and the label maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.data.formats.huggingface.library import library
from sightline.errors import SightlineError

_IMAGES = ("image", "img", "picture", "photo", "pixel_values")
_MASKS = ("mask", "annotation", "label", "segment")
_LABELS = ("label", "labels", "class", "category")
_BOXES = ("bbox", "bboxes", "box", "boxes")
_CATEGORIES = (
    "category",
    "categories",
    "label",
    "labels",
    "category_id",
    "class",
    "class_id",
    "category_name",
)
_OBJECT_FIELDS = {"object_id": ("object_id", "id", "bbox_id"), "confidence": ("confidence", "score")}


@dataclass(frozen=True)
class Objects:
    """A column of boxes: the names of its fields."""

    bbox: str
    category: str | None
    others: Mapping[str, str]
    """Field of an annotation to name of the field in the column."""
    class_names: list[str] | None


@dataclass
class Columns:
    """The columns by what they hold, and those that hold nothing for us."""

    image: str
    labels: dict[str, list[str] | None] = field(default_factory=dict)
    objects: dict[str, Objects] = field(default_factory=dict)
    masks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def recognise(
    features: Mapping[str, Any],
    *,
    image: str | None,
    labels: Sequence[str] | None,
    objects: Sequence[str] | None,
    masks: Sequence[str] | None,
) -> Columns:
    """The columns by their features and names; None stands for all that look the part.

    Raises:
        SightlineError: a column that there is not, or that does not hold what it is said to; or no
            images.
    """
    datasets = library()
    for name in (image, *(labels or ()), *(objects or ()), *(masks or ())):
        if name is not None and name not in features:
            raise SightlineError(
                f"there is no column '{name}' in this dataset; it has {', '.join(features)}."
            )
    pictures = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    if image is None:
        named = [name for name in _IMAGES if name in pictures]
        image = next(iter([*named, *(name for name in pictures if name not in (masks or ()))]), None)
    if image is None or image not in pictures:
        raise SightlineError(
            f"no column '{image or 'image'}' of images; it has {', '.join(features)}; cast the column that "
            "holds them to datasets.Image()."
        )
    found = Columns(image)
    if masks is None:
        masks = [name for name in pictures if name != image and any(word in name.lower() for word in _MASKS)]
    found.masks = list(masks)
    for name, feature in features.items():
        if name == image or name in found.masks:
            continue
        inner = _objects(feature) if objects is None or name in objects else None
        if inner is not None:
            found.objects[name] = inner
        elif name in labels if labels is not None else _is_label(name, feature):
            found.labels[name] = _class_names(feature)
        else:
            found.left_out.append(name)
    wrong = [name for name in objects or () if name not in found.objects]
    wrong += [name for name in labels or () if name not in found.labels]
    wrong += [name for name in found.masks if name not in pictures]
    if wrong:
        raise SightlineError(f"column '{wrong[0]}' is {features[wrong[0]]}, which does not hold that.")
    return found


def _element(feature: Any) -> Any:
    """The feature of a list's elements; the feature itself where it is no list."""
    while hasattr(feature, "feature"):
        feature = feature.feature
    return feature


def _is_label(name: str, feature: Any) -> bool:
    datasets = library()
    element = _element(feature)
    if isinstance(element, datasets.ClassLabel):
        return True
    plain = isinstance(element, datasets.Value) and element.dtype in (
        "string",
        "int64",
        "int32",
        "int16",
        "int8",
    )
    return plain and name in _LABELS


def _class_names(feature: Any) -> list[str] | None:
    element = _element(feature)
    return list(element.names) if isinstance(element, library().ClassLabel) else None


def _objects(feature: Any) -> Objects | None:
    """The fields of a column of boxes; None where it is none. It is a list of dicts or a dict of lists."""
    fields = _element(feature)
    if not isinstance(fields, Mapping):
        return None
    bbox = next((name for name in _BOXES if name in fields), None)
    if bbox is None:
        return None
    category = next((name for name in _CATEGORIES if name in fields), None)
    others = {
        field: name
        for field, names in _OBJECT_FIELDS.items()
        for name in [n for n in names if n in fields][:1]
    }
    return Objects(bbox, category, others, _class_names(fields[category]) if category else None)
