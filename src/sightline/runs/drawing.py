"""Pictures made of images and what was found in them, in the colours that datasets are drawn in."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from sightline.data.look.contact_sheet import draw_sheet
from sightline.data.look.thumbnails import resized
from sightline.data.primitives import Bbox, Bitmask, Segmentation
from sightline.data.sample import Sample
from sightline.errors import SightlineError

Array = np.ndarray

MOST_IMAGES = 64  # on one sheet
_SMALLEST_SIDE, _LARGEST_SIDE = 112, 320  # of an image on a sheet, in pixels
_LETTER = 7  # pixels of width that a letter of a label takes, about


def draw_images(images: Sequence[Array], labels: Sequence[str] | None, title: str) -> Array:
    """A sheet of images, each above its label; of more than 64 the first."""
    shown = images[:MOST_IMAGES]
    if len(shown) < len(images):
        title += f" (the first {len(shown)} of {len(images)})"
    largest = max(max(image.shape[:2]) for image in shown)
    longest = max(map(len, labels), default=0) if labels is not None else 0
    side = min(max(largest, _SMALLEST_SIDE, longest * _LETTER), _LARGEST_SIDE)
    pictures = [Image.fromarray(resized(image, side)) for image in shown]
    captions = list(labels[: len(shown)]) if labels is not None else [""] * len(shown)
    columns = min(8, math.ceil(math.sqrt(len(shown))))
    return np.asarray(draw_sheet(list(zip(pictures, captions, strict=True)), columns, side, title))


def draw_boxes(
    image: Array, boxes: Array, labels: Sequence[str] | None, scores: Sequence[float] | None
) -> Array:
    """Boxes (left, top, right, bottom in pixels) with their labels and scores; a small image is enlarged."""
    height, width = image.shape[:2]
    found: list[Bbox] = []
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        if not all(map(math.isfinite, (left, top, right, bottom))):
            continue
        box = Bbox.from_pixels(
            left=left,
            top=top,
            width=max(0.0, right - left),
            height=max(0.0, bottom - top),
            image_width=width,
            image_height=height,
            class_name=labels[number] if labels is not None else "box",
        )
        if scores is not None:
            box.confidence, box.ground_truth = scores[number], False
        found.append(box)
    return Sample(file_path=None, height=height, width=width, bboxes=found).draw_annotations(image)


def draw_masks(image: Array, masks: Array, class_names: Sequence[str] | None, where: str) -> Array:
    """A class map (height, width), where 0 is left as it is, or masks (objects, height, width)."""
    height, width = image.shape[:2]
    if masks.shape[-2:] != (height, width):
        raise SightlineError(
            f"{where}: the masks are {masks.shape[-1]} x {masks.shape[-2]} pixels and the image "
            f"{width} x {height}; give both in one size."
        )
    found: list[Bitmask] = []
    if masks.ndim == 2:
        for number in np.unique(masks).tolist():
            known = class_names is not None and 0 <= number < len(class_names)
            name = class_names[int(number)] if known and class_names is not None else f"{number:g}"
            if number != 0:
                found.append(Segmentation.from_mask(masks == number, class_name=name))
    else:
        for number, mask in enumerate(masks):
            name = class_names[number] if class_names is not None else str(number)
            found.append(Bitmask.from_mask(mask > 0, class_name=name))
    return Sample(file_path=None, height=height, width=width, bitmasks=found).draw_annotations(image)
