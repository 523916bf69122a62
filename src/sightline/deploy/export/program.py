"""From a module to a program of tensors alone, for as many sizes of images as the module can take."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from sightline.deploy.card import ModelInput
from sightline.deploy.graph import Graph
from sightline.errors import SightlineError

_BATCH, _HEIGHT, _WIDTH = 0, 2, 3
Freedom = Literal["any size", "any number", "one image"]
FREEDOMS: tuple[Freedom, ...] = ("any size", "any number", "one image")
"""Which images a program is to take, from most to least: any number of any size; any number of one size;
one of one size. Some models can be followed, or come out right, with less of it only."""

_LARGER = 64  # pixels by which one side of an example differs, so that the two are told apart


def example_images(graph: Graph, height: int, width: int, batch: int = 2) -> Tensor:
    """Noise in the type that the graph takes, (batch, bands, height, width)."""
    limit = 65536 if graph.card.input.type == "uint16" else 256
    generator = torch.Generator().manual_seed(0)
    shape = (batch, graph.card.channels, height, width)
    noise = torch.randint(limit, shape, generator=generator, dtype=torch.int32)
    return noise.to(getattr(torch, graph.card.input.type))


def export_program(
    graph: Graph, height: int, width: int, freedom: Freedom
) -> tuple[ExportedProgram, ModelInput]:
    """The graph as a program, and which images that takes.

    What `torch.export` is told to leave free may still come out as one number, or as multiples of one.

    Raises:
        SightlineError: `torch.export` cannot follow the model, or not with so much freedom.
    """
    dynamic: dict[Freedom, dict[int, Any] | None] = {
        "any size": {_BATCH: Dim.AUTO, _HEIGHT: Dim.AUTO, _WIDTH: Dim.AUTO},
        "any number": {_BATCH: Dim.AUTO},
        "one image": None,
    }
    larger, batch = _LARGER if freedom == "any size" else 0, 1 if freedom == "one image" else 2
    images = example_images(graph, height, width + larger, batch)
    try:
        with without_advice():
            program = torch.export.export(graph, (images,), dynamic_shapes={"images": dynamic[freedom]})
    except Exception as error:  # whatever the model raises of sizes that it does not take
        raise SightlineError(
            f"the model cannot be exported: torch.export cannot follow it ({first_line(error)})."
        ) from error
    found = _input_of(program, graph.card.input)
    if found.size not in (None, (height, width)):
        raise SightlineError("the model cannot be exported for images of any size.")
    return program, found


def _input_of(program: ExportedProgram, known: ModelInput) -> ModelInput:
    shape = _input_shape(program)
    fixed = {place: int(side) for place, side in enumerate(shape) if isinstance(side, int)}
    size, multiple = None, 1
    if _HEIGHT in fixed or _WIDTH in fixed:  # one alone is of no use to anybody
        size = (int(shape[_HEIGHT]), int(shape[_WIDTH]))
    else:
        multiple = max(_factor(shape[_HEIGHT]), _factor(shape[_WIDTH]))
    return known.model_copy(update={"batch": fixed.get(_BATCH), "size": size, "multiple": multiple})


def _input_shape(program: ExportedProgram) -> tuple[Any, ...]:
    names = program.graph_signature.user_inputs
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            return tuple(node.meta["val"].shape)
    raise AssertionError("a program without an input")


def _factor(side: Any) -> int:
    """The number whose multiples a dynamic side has to be: 32 where it is ``32*s``."""
    factor, _ = side.node.expr.as_coeff_Mul()
    return int(factor)


def first_line(error: Exception) -> str:
    """What an error of PyTorch's says, without the pages that follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


@contextmanager
def without_advice() -> Iterator[None]:
    """Keep to itself what PyTorch and ONNX tell their own callers: deprecations, steps, versions."""
    loggers = [
        logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "root")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
