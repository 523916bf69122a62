"""Which images a module takes, found out by trying."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sightline.deploy.card import ModelInput
from sightline.deploy.export.program import example_images
from sightline.deploy.graph import Graph, check_outputs
from sightline.errors import SightlineError

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_TOLERANCE = 1e-3


def smallest_multiple(graph: Graph, height: int, width: int) -> int | None:
    """The number whose multiples heights and widths have to be; None where no other size works at all."""
    for multiple in _MULTIPLES:
        if _works(graph, height + multiple, width + multiple):
            return multiple
    return None


def probed_input(module: Callable[[torch.Tensor], Any], graph: Graph, height: int, width: int) -> ModelInput:
    """Which images a ``module`` takes that is to do what the graph does: of which it says the same."""
    multiple = smallest_multiple(graph, height, width)
    size, batch = None, None
    if multiple is None or not _agree(module, graph, 1, height + multiple, width + 2 * multiple):
        size, multiple = (height, width), 1
    if not _agree(module, graph, 3, height, width):
        batch = 1
    return graph.card.input.model_copy(update={"size": size, "batch": batch, "multiple": multiple})


def _works(graph: Graph, height: int, width: int) -> bool:
    try:
        check_outputs(graph, example_images(graph, height, width, batch=1))
    except (SightlineError, RuntimeError, ValueError, AssertionError, IndexError, TypeError):
        return False
    return True


def _agree(module: Callable[[torch.Tensor], Any], graph: Graph, batch: int, height: int, width: int) -> bool:
    images = example_images(graph, height, width, batch)
    try:
        with torch.inference_mode():
            given = [_outputs(one(images)) for one in (module, graph)]
    except Exception:  # as many kinds as there are models
        return False
    return all(
        one.shape == other.shape and np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE)
        for one, other in zip(*given, strict=True)
    )


def _outputs(value: Any) -> list[np.ndarray]:
    return [one.numpy() for one in (value if isinstance(value, tuple | list) else (value,))]
