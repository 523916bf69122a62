"""What a report says, before it is a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Table:
    """Rows of a name and numbers: whole ones are counts, others fractions 0..1, and None is not known."""

    title: str
    columns: Sequence[str]
    """Headings, the first one that of the names."""
    rows: Sequence[tuple[str, Sequence[int | float | None]]]
    note: str = ""
    """What else there is to say, below it."""


@dataclass(frozen=True)
class Chart:
    """A picture of numbers."""

    name: str
    """Of its file, without an ending."""
    title: str
    png: bytes
    note: str = ""


@dataclass(frozen=True, eq=False)
class Findings:
    """What came of comparing predictions with the ground truth."""

    numbers: dict[str, float]
    """By name, as the metrics of the task's kind give them; see `sightline.metrics`."""
    headline: Sequence[str]
    """Which of them say most, the first one most."""
    tables: Sequence[Table]
    """The first one is by class."""
    charts: Sequence[Chart]
    quality: np.ndarray
    """(N,): how good the prediction for each sample is, higher is better; NaN where that has no answer."""
    caption: Callable[[int], str]
    """What a sample's picture is labelled with, by its position."""
    kept: Callable[[str, float], bool]
    """Whether a picture shows a prediction of a class with a confidence."""
    ranking: str
    """What ``quality`` is, as the end of "ordered by"."""


def worst_and_best(quality: np.ndarray, most: int) -> tuple[list[int], list[int]]:
    """Positions of the samples with the lowest quality, lowest first, and the highest, highest first.

    At most so many each, and none in both.
    """
    order = [int(place) for place in np.argsort(quality, kind="stable") if not np.isnan(quality[place])]
    low = order[: min(most, (len(order) + 1) // 2)]
    high = order[len(low) :][-most:]
    return low, high[::-1]


def fraction(value: float) -> float | None:
    """A number for a `Table`; None for NaN."""
    return None if np.isnan(value) else float(value)
