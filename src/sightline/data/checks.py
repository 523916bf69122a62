"""What is wrong with annotations that have the right types: ranges, splits, nesting."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from sightline.data.primitives import PRIMITIVE_OF_COLUMN, Primitive
from sightline.data.schema import MAX_DEPTH, PRIMITIVE_COLUMNS, attribute_columns
from sightline.data.splits import SPLITS
from sightline.errors import SightlineError

Where = Callable[[int], str]
"""Says of the n-th value of a list where it comes from, for an error's sentence."""

Values = TypeVar("Values", np.ndarray, pl.Expr)

EDGE = 1e-6
"""How far, in fractions of the image, something ends behind the edge for text files that round."""


def check_samples(frame: pl.DataFrame, where: Where) -> None:
    """Refuse unknown splits, images without a size, and missing values that cannot be unknown."""
    wrong_split = (~frame["split"].is_in(SPLITS)).fill_null(value=True)
    if wrong_split.any():
        position = int(wrong_split.arg_true()[0])
        raise SightlineError(
            f"{where(position)}: split is '{frame['split'][position]}', expected one of {', '.join(SPLITS)}."
        )
    for name in ("height", "width"):
        wrong = (frame[name] <= 0).fill_null(value=True)
        if wrong.any():
            position = int(wrong.arg_true()[0])
            raise SightlineError(
                f"{where(position)}: {name} is {frame[name][position]}, expected pixels from 1 up."
            )
    for name in ("tags", "storage_format"):
        if frame[name].null_count():
            position = int(frame[name].is_null().arg_true()[0])
            raise SightlineError(f"{where(position)}: {name} is missing; leave it at its default.")


def refuse_deeper(column: str, flat: Sequence[Primitive], level: int, where: Where) -> None:
    """Refuse attributes on annotations that are attributes already and have no room for more."""
    allowed = attribute_columns(column, level)
    fields = PRIMITIVE_OF_COLUMN[column].__dataclass_fields__
    for name in (name for name in PRIMITIVE_COLUMNS if name in fields and name not in allowed):
        for position, annotation in enumerate(flat):
            if getattr(annotation, name) is not None:
                raise SightlineError(
                    f"{where(position)}: carries {name} at level {level + 1} of nesting; an attribute of "
                    f"an attribute can only be a classification, {MAX_DEPTH} levels deep."
                )


def check_geometry(column: str, table: pl.DataFrame, where: Where) -> None:
    """Refuse boxes in pixels or with numbers that are none, and confidences outside 0..1."""
    if column == "bboxes" and len(table):
        box = ["top_left_x", "top_left_y", "width", "height"]
        numbers = table.select(box).to_numpy()
        good = plausible(numbers).all(axis=1) & (numbers[:, 2:] >= 0).all(axis=1)
        if not good.all():
            position = int(np.flatnonzero(~good)[0])
            values = ", ".join(f"{name}={table[name][position]}" for name in box)
            raise SightlineError(
                f"{where(position)}: {values} are not within 0..1; give fractions of the image's size "
                "(Bbox.from_pixels converts)."
            )
    confidence = table["confidence"]
    wrong = (~confidence.is_between(0, 1) | confidence.is_nan()).fill_null(value=False)
    if wrong.any():
        position = int(wrong.arg_true()[0])
        raise SightlineError(
            f"{where(position)}: confidence is {confidence[position]}, expected 0..1, or None for unknown."
        )


def plausible(values: Values) -> Values:
    """Fractions, with room for what reaches over an image's edge; never pixels, NaN or infinity."""
    return (values > -1.5) & (values < 2.5)
