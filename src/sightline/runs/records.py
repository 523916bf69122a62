"""What a sink is handed: one typed record for each thing that was logged.

All are immutable. ``step`` counts from 0, ``time`` is unix seconds, ``file`` lies below the run directory.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

PictureKind = Literal["image", "images", "boxes", "masks"]


class Scalar(NamedTuple):
    """A number, as it stands in ``metrics.jsonl``; NaN and the infinities are real values here."""

    name: str
    value: float
    step: int
    time: float
    kind: Literal["scalar", "metric"] = "scalar"


class Text(NamedTuple):
    """A text, also in ``file`` (``.txt``)."""

    name: str
    step: int
    time: float
    text: str
    file: Path


class Histogram(NamedTuple):
    """How many values lie between neighbouring edges: ``counts`` (bins,), ``edges`` (bins + 1,) ascending.

    Also in ``file`` (``.json``).
    """

    name: str
    step: int
    time: float
    counts: "np.ndarray"
    edges: "np.ndarray"
    file: Path


class Picture(NamedTuple):
    """A picture, with what is drawn on it: uint8 RGB of shape (height, width, 3); ``file`` is a PNG."""

    name: str
    step: int
    time: float
    kind: PictureKind
    pixels: "np.ndarray"
    file: Path


class ConfusionMatrix(NamedTuple):
    """Counts of shape (classes, classes), rows are the truth, columns what was predicted.

    ``file`` is a PNG of it, whose ``pixels`` are uint8 RGB; ``data`` (``.json``) has the numbers.
    """

    name: str
    step: int
    time: float
    matrix: "np.ndarray"
    class_names: tuple[str, ...]
    pixels: "np.ndarray"
    file: Path
    data: Path


class Video(NamedTuple):
    """Frames, uint8 RGB of shape (frames, height, width, 3); ``file`` is an MP4."""

    name: str
    step: int
    time: float
    frames: "np.ndarray"
    fps: float
    file: Path


class Table(NamedTuple):
    """A table, also in ``file`` (``.parquet``)."""

    name: str
    step: int
    time: float
    frame: "pl.DataFrame"
    file: Path


class Configuration(NamedTuple):
    """All settings logged so far, as JSON has them."""

    settings: dict[str, Any]


class Progress(NamedTuple):
    """How far the training is: ``done`` of ``total`` (None: unknown) in ``unit``, such as batches."""

    done: float
    total: float | None
    unit: str
    epoch: int | None
    samples_per_s: float | None
    time: float


class Rewind(NamedTuple):
    """The run went back to a checkpoint: what was logged from ``step`` on is logged anew."""

    step: int


Media = Text | Histogram | Picture | ConfusionMatrix | Video | Table
"""What has a file below ``media/``."""

Record = Scalar | Media | Configuration | Progress | Rewind
