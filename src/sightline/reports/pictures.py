"""Samples with their ground truth and what a model says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sightline.data.look.contact_sheet import draw_sheet
from sightline.data.look.thumbnails import resized, thumbnail
from sightline.data.primitives import Classification, Primitive, Segmentation
from sightline.data.primitives.drawing import font
from sightline.data.progress import in_parallel
from sightline.data.sample import Sample
from sightline.metrics.datasets import Comparison
from sightline.reports.findings import Findings

SIDE = 420
"""The longest side of a picture in pixels."""
_GAP, _LETTERS = 6, 12
_PAPER, _INK = (255, 255, 255), (28, 25, 23)
_SHEET_COLUMNS = 3

Kept = Callable[[Primitive], bool]


@dataclass(frozen=True)
class SamplePicture:
    """A sample as a report shows it: ``panels`` side by side, each named, and a caption.

    A class of the whole image is not drawn; it is in the caption.
    """

    panels: Sequence[tuple[str, np.ndarray]]
    caption: str
    file_name: str


def draw_samples(comparison: Comparison, findings: Findings, positions: Sequence[int]) -> list[SamplePicture]:
    """Pictures of the samples at these positions, in this order.

    Raises:
        SightlineError: an image that cannot be read.
    """

    def of_truth(annotation: Primitive) -> bool:
        return annotation.task_name == comparison.truth.name

    def of_predictions(annotation: Primitive) -> bool:
        sure = 1.0 if annotation.confidence is None else annotation.confidence
        return annotation.task_name == comparison.predictions.name and findings.kept(
            str(annotation.class_name), sure
        )

    def draw(position: int) -> SamplePicture:
        sample = comparison.dataset[position]
        pixels = thumbnail(sample, SIDE)
        if comparison.predictions.primitive is Classification:
            panels = [("", pixels)]
        else:
            panels = [
                ("truth", _drawn(sample, pixels, of_truth)),
                ("prediction", _drawn(sample, pixels, of_predictions)),
            ]
            if comparison.predictions.primitive is Segmentation:
                panels.insert(0, ("image", pixels))  # which the classes of pixels hide
        return SamplePicture(panels, findings.caption(position), Path(sample.file_path or "").name)

    return list(in_parallel(draw, positions, "Drawing samples"))


def sheet(pictures: Sequence[SamplePicture], title: str) -> Image.Image:
    """Many of them on one picture."""
    cells = [(_beside(one.panels), f"{one.caption}  ({one.file_name})") for one in pictures]
    widest = max(max(cell.size) for cell, _ in cells)
    return draw_sheet(cells, _SHEET_COLUMNS, widest, title)


def _drawn(sample: Sample, pixels: np.ndarray, kept: Kept) -> np.ndarray:
    own = {
        column: [one for one in getattr(sample, column) or () if kept(one)]
        for column in ("bitmasks", "polygons", "bboxes")
    }
    return replace(sample, classifications=None, **own).draw_annotations(pixels, scale=1)


def _beside(panels: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    pixels = [panel for _, panel in panels]
    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    height = pixels[0].shape[0]
    gap = np.full((height, _GAP, 3), _PAPER, dtype=np.uint8)
    whole = np.concatenate([part for panel in pixels for part in (gap, panel)][1:], axis=1)
    picture = Image.fromarray(resized(whole, SIDE))
    canvas, letters = ImageDraw.Draw(picture), font(_LETTERS)
    for number, (name, _) in enumerate(panels):
        place = number * picture.width // len(panels) + _GAP, 0
        canvas.rectangle(canvas.textbbox(place, name, letters), fill=_PAPER)
        canvas.text(place, name, _INK, letters)
    return picture
