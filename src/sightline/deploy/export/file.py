"""`export_module`: any PyTorch module with a card, as a file that was compared with it."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sightline.deploy.card import ExportCheck, ModelCard, ModelInput
from sightline.deploy.card_files import Format, refuse_precision
from sightline.deploy.export.checking import WorseError, compare, refuse_difference
from sightline.deploy.export.probing import probed_input, smallest_multiple
from sightline.deploy.export.program import FREEDOMS, Freedom, example_images, export_program
from sightline.deploy.export.quantizing import quantized_writer
from sightline.deploy.export.writing import (
    Write,
    onnx_writer,
    pt2_writer,
    safetensors_writer,
    torchscript_writer,
    traced,
)
from sightline.deploy.graph import Graph, check_outputs
from sightline.deploy.predictor import Predictor
from sightline.deploy.session import OnnxSession, Session
from sightline.deploy.torch_session import TorchSession, open_session
from sightline.errors import SightlineError
from sightline.files import written_whole

_CPU = torch.device("cpu")

Judge = Callable[[Predictor], ExportCheck]
"""Compares a predictor further than by its outputs; raises a `SightlineError` where it is not good enough."""


def export_module(
    model: torch.nn.Module,
    card: ModelCard,
    path: Path,
    *,
    format: Format = "onnx",
    size: tuple[int, int],
    images: Sequence[np.ndarray] = (),
    judge: Judge | None = None,
) -> ModelCard:
    """Write ``model`` as a file and return the card in it; nothing is left where the two differ.

    Args:
        model: gives logits, or of a detector scores and boxes; see `Graph`. It is copied.
        card: what it is. Of ``input`` it says the type of pixels, and the rest is found out; ``precision`` is
            what the file gets.
        path: of the file. One that is there is replaced when all is well.
        format: of the file.
        size: height and width of the images that it is tried with.
        images: batches (batch, bands, height, width) as the graph takes them, to compare on; by default
            noise. int8 needs real ones.
        judge: a further comparison, the result of which the card keeps.

    Raises:
        SightlineError: the model cannot be exported, or the file does not give what the model gives.
    """
    refuse_precision(card.precision, format)
    if card.precision == "int8" and not images:
        raise SightlineError(
            "int8 takes the ranges of its numbers from real images, and there is no dataset at hand; choose "
            "fp32 or fp16."
        )
    exact = card.model_copy(update={"precision": "fp32"})
    reference = Graph(deepcopy(model).to(_CPU), exact).eval()
    check_outputs(reference, example_images(reference, *size, batch=1))
    work = _Work(reference, card, format, size, images, judge)
    freedoms = FREEDOMS if format in ("onnx", "pt2") else FREEDOMS[:1]
    for freedom in freedoms[:-1]:
        try:
            return work.write(path, freedom)
        except WorseError:
            raise
        except SightlineError as error:
            if isinstance(error.__cause__, OSError):
                raise
    return work.write(path, freedoms[-1])


@dataclass(frozen=True)
class _Work:
    """See `export_module`; ``reference`` is what the file is compared with."""

    reference: Graph
    card: ModelCard
    format: Format
    size: tuple[int, int]
    images: Sequence[np.ndarray]
    judge: Judge | None

    def write(self, path: Path, freedom: Freedom) -> ModelCard:
        """Write the file, for the images that ``freedom`` says, and return its card.

        Raises:
            SightlineError: it cannot be made, or is not what it was made of.
        """
        write, found = _writer(self.reference, self.card, self.format, self.size, self.images, freedom)
        card = self.card.model_copy(update={"input": found})
        try:
            with written_whole(path) as staging:
                write(card, staging)
                card = card.model_copy(update={"check": self._checked(staging, card)})
                write(card, staging)
        except OSError as error:
            raise SightlineError(f"{path}: cannot be written ({error.strerror or error}).") from error
        return card

    def _checked(self, staging: Path, card: ModelCard) -> ExportCheck:
        session: Session
        if self.format == "onnx":
            session = OnnxSession(staging, "cpu")
        else:
            model = deepcopy(self.reference.model)
            session = open_session(staging, self.format, card, "cpu", model=model)
        shown = [*_parts(self.images, card), *_noise(self.reference, card, self.size)]
        differences = compare(TorchSession(self.reference, _CPU), session, shown)
        refuse_difference(differences, card)
        check = ExportCheck(
            images="real" if self.images else "random",
            count=sum(map(len, self.images or shown)),
            largest_difference=differences.scores,
        )
        if self.judge is None:
            return check
        judged = self.judge(Predictor(card, session))
        return check.model_copy(update=judged.model_dump(include={"metric", "before", "after"}))


def _writer(
    reference: Graph,
    card: ModelCard,
    format: Format,
    size: tuple[int, int],
    images: Sequence[np.ndarray],
    freedom: Freedom,
) -> tuple[Write, ModelInput]:
    """What writes the file, and which images that takes."""
    graph = reference
    if card.precision == "fp16":
        graph = Graph(deepcopy(reference.model), card).eval()
    if format == "safetensors":
        return safetensors_writer(graph), probed_input(reference, reference, *size)
    if format == "torchscript":
        batch = 2 if probed_input(reference, reference, *size).batch is None else 1
        module = traced(graph, example_images(graph, *size, batch=batch))
        return torchscript_writer(module), probed_input(module, graph, *size)
    program, found = export_program(graph, *size, freedom)
    if found.size is None:
        multiple = smallest_multiple(reference, *size) or 1
        found = found.model_copy(update={"multiple": max(multiple, found.multiple)})
    if format == "pt2":
        return pt2_writer(program), found
    write = onnx_writer(program, card)
    return (quantized_writer(write, images) if card.precision == "int8" else write), found


def _noise(reference: Graph, card: ModelCard, size: tuple[int, int]) -> list[np.ndarray]:
    """Batches of images of one size and number, and of others where the file takes any."""
    height, width = size
    sizes = [size]
    if card.input.size is None:
        sizes.append((height + card.input.multiple, width + 3 * card.input.multiple))
    batches = [card.input.batch] if card.input.batch else [2, 1, 3]
    tried = [(one, batches[0]) for one in sizes] + [(size, batch) for batch in batches[1:]]
    return [example_images(reference, *one, batch=batch).numpy() for one, batch in tried]


def _parts(images: Sequence[np.ndarray], card: ModelCard) -> list[np.ndarray]:
    """The batches, cut into as many images as the file takes at once."""
    most = card.input.batch
    if most is None:
        return list(images)
    return [batch[n : n + most] for batch in images for n in range(0, len(batch) - most + 1, most)]
