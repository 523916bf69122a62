"""`ModelCard`: what an exported model is, takes and gives, and how good it was. It lies inside the file."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from sightline.config import Config
from sightline.data.box_selection import BoxSelection
from sightline.data.preprocessing import Preprocessing
from sightline.errors import SightlineError

CARD_KEY = "sightline.card"
"""The name of the card among the metadata of a file."""

CARD_VERSION = 1

Kind = Literal["classification", "detection", "segmentation"]
Precision = Literal["fp32", "fp16", "int8"]
PixelType = Literal["uint8", "uint16", "float32"]
Positive = Annotated[int, Field(ge=1)]


class ModelInput(Config):
    """What the graph in the file takes: images (batch, bands, height, width), fitted but not normalised."""

    type: PixelType = "uint8"
    """Of the pixels. The graph itself normalises them."""
    batch: Positive | None = None
    """The only number of images that it takes at once; null: any."""
    size: tuple[Positive, Positive] | None = None
    """The only height and width that it takes; null: any."""
    multiple: Positive = 1
    """Heights and widths have to be multiples of this."""


class Architecture(Config):
    """How the model is built anew, for files that hold weights alone: the arguments of its constructor."""

    name: str
    """A name of `sightline.models`."""
    encoder: str | None = None
    """The network that a segmenter looks with."""
    outputs: Positive
    """Of the model: the number of classes, or 1 where a segmenter tells two classes apart by one."""
    options: dict[str, Any] = {}
    """Further arguments."""


class TrainedOn(Config):
    """The dataset that a model was trained and measured on."""

    name: str
    """Of the dataset."""
    version: str
    """Of the dataset."""
    task: str
    """Which of its tasks was learned."""
    samples: dict[str, int] = {}
    """The number of samples by split."""


class Training(Config):
    """Where the weights come from."""

    run: str
    """The name of the run."""
    step: int | None = None
    """The update that the weights follow."""
    epoch: int | None = None
    """The epoch that the weights follow."""
    started_at: str | None = None
    """When the run began, ISO 8601."""
    commit: str | None = None
    """The git commit of the code, with ``+`` where it was changed."""
    weights_sha256: str
    """Of the names, types and bytes of all weights."""


class ExportCheck(Config):
    """How the file was compared with the model that it was made of, when it was made."""

    images: Literal["real", "random"]
    """What both were shown: images of the dataset, or noise where there was none at hand."""
    count: int
    """The number of images."""
    largest_difference: float
    """Of all scores, 0..1."""
    metric: str | None = None
    """What both were judged by."""
    before: float | None = None
    """Its value for the model."""
    after: float | None = None
    """Its value for the file."""


class ModelCard(Config):
    """All that is needed to predict with a model and to judge whether to.

    The graph gives, by the kind of task:

    - classification: ``scores`` (batch, classes), 0..1;
    - detection: ``scores`` (batch, N, classes), 0..1, and ``boxes``, left, top, right, bottom in pixels of
      what it was given, (batch, N, 4) or (batch, N, classes, 4), of which ``selection`` keeps some;
    - segmentation: ``scores`` (batch, classes, height, width), which sum to 1 at each pixel.
    """

    card_version: Literal[1] = CARD_VERSION
    """Of this description."""
    name: str
    """Of the model."""
    description: str | None = None
    """What it is for, and what not."""
    licence: str | None = None
    """Under which it may be used, such as ``Apache-2.0``."""
    task: Kind
    """What it does."""
    classes: Annotated[list[str], Field(min_length=1)]
    """Names of the classes in the order of the scores."""
    multi_label: bool = False
    """Whether an image may have any number of classes."""
    preprocessing: Preprocessing
    """What becomes of an image before the graph, which begins with its scale, mean and std."""
    input: ModelInput
    """What the graph takes."""
    selection: BoxSelection | None = None
    """Which boxes of a detector are kept."""
    precision: Precision = "fp32"
    """In what the graph computes (fp16, fp32), or what it multiplies (int8)."""
    ground_resolution: float | None = None
    """Metres that a pixel of the training's images is wide on the ground."""
    metrics: dict[str, float] = {}
    """How good it was when it was trained, by names such as ``validation/accuracy``."""
    data: TrainedOn | None = None
    """The dataset that it was trained and measured on."""
    training: Training | None = None
    """Where the weights come from."""
    check: ExportCheck | None = None
    """How the file was compared with the model."""
    architecture: Architecture | None = None
    """How the model is built anew."""
    created_at: str | None = None
    """When the file was made, ISO 8601."""
    sightline: str | None = None
    """The version that made the file."""

    @model_validator(mode="after")
    def _boxes_are_selected(self) -> "ModelCard":
        if (self.selection is not None) != (self.task == "detection"):
            raise ValueError("'selection' is for detection, which needs it")
        if self.multi_label and self.task != "classification":
            raise ValueError("'multi_label' is for classification; leave it out")
        return self

    @classmethod
    def from_text(cls, text: str, where: str | Path) -> "ModelCard":
        """The card that is JSON text; ``where`` names the file for messages.

        Raises:
            SightlineError: it is no card, or one of a newer version of Sightline.
        """
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise SightlineError(f"{where}: its model card is damaged; export the model again.")
        version = values.get("card_version")
        if isinstance(version, int) and version > CARD_VERSION:
            raise SightlineError(
                f"{where}: was made by a newer Sightline ({values.get('sightline')}); update this one."
            )
        try:
            return cls(**values)
        except SightlineError as error:
            raise SightlineError(f"{where}: its model card is damaged ({error}).") from error

    def to_text(self) -> str:
        """The card as JSON, for `from_text`."""
        return self.model_dump_json()

    @property
    def dtype(self) -> np.dtype:
        """The type of pixels that the graph takes."""
        return np.dtype(self.input.type)

    @property
    def channels(self) -> int:
        """The number of bands that the graph takes."""
        return len(self.preprocessing.bands)


def no_card(path: str | Path) -> SightlineError:
    """The error for a model file without a card."""
    return SightlineError(
        f"{path}: has no model card, so its classes and preprocessing are unknown; make the file with "
        "`sightline export`, or give a card: open_model(path, card=ModelCard(...))."
    )
