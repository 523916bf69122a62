"""Whether a file says what the model says that it was made of."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from sightline.deploy.card import ModelCard, Precision
from sightline.deploy.session import Session
from sightline.errors import SightlineError

METRIC_TOLERANCE: Mapping[Precision, float] = {"fp32": 0.001, "fp16": 0.01, "int8": 0.02}
"""By how much the task's metric may differ between the model and the file."""

_SCORES: Mapping[Precision, float | None] = {"fp32": 1e-3, "fp16": 0.05, "int8": None}
_BOXES = 1e-3  # of the side of the image


class WorseError(SightlineError):
    """The file is not as good as the model, for which other images than those it takes are no help."""


class Differences(NamedTuple):
    """The largest between two graphs: of scores 0..1, and of boxes as a part of the image's longer side."""

    scores: float
    boxes: float


def compare(reference: Session, candidate: Session, batches: Iterable[np.ndarray]) -> Differences:
    """How far the outputs of two graphs are apart on ``batches``.

    Raises:
        SightlineError: their outputs are of different shapes, or not numbers.
    """
    largest = [0.0, 0.0]
    for images in batches:
        expected, found = reference.run(images), candidate.run(images)
        if [one.shape for one in expected] != [one.shape for one in found]:
            shapes = [one.shape for one in found]
            raise SightlineError(
                f"the exported file gives {shapes} where the model gives {[one.shape for one in expected]}."
            )
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            scale = 1.0 if place == 0 else float(max(images.shape[2:]))
            distance = np.abs(one.astype(np.float64) - other)
            largest[place] = max(largest[place], float(distance.max(initial=0)) / scale)
    return Differences(*largest)


def refuse_difference(found: Differences, card: ModelCard) -> None:
    """Raise a `SightlineError` where outputs are further apart than the card's precision explains."""
    scores = _SCORES[card.precision]
    boxes = _BOXES if card.precision == "fp32" else None
    # Written so that NaN is refused too.
    if scores is not None and not found.scores <= scores:
        raise SightlineError(
            f"the exported file's scores differ from the model's by {found.scores:.2g}, more than "
            f"{scores:g}; it was not kept."
        )
    if boxes is not None and not found.boxes <= boxes:
        raise SightlineError(
            f"the exported file's boxes differ from the model's by {found.boxes:.2g} of the image, more than "
            f"{boxes:g}; it was not kept."
        )


def refuse_metric(metric: str, before: float, after: float, tolerance: float) -> None:
    """Raise a `WorseError` where the file is judged otherwise than the model."""
    both_undefined = before != before and after != after
    if not both_undefined and not abs(before - after) <= tolerance:
        raise WorseError(
            f"the exported file's {metric} is {after:.4f} and the model's {before:.4f}, which differ by more "
            f"than {tolerance:g}; it was not kept."
        )
