"""A graph into a file of each format, its card inside.

What takes long is done once; the functions that are returned write a file as often as its card changes.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch.export import ExportedProgram

from sightline.deploy.card import CARD_KEY, ModelCard
from sightline.deploy.export.program import first_line, without_advice
from sightline.deploy.graph import Graph
from sightline.errors import SightlineError

Write = Callable[[ModelCard, Path], None]

_MOST_ONNX = (1 << 31) - (1 << 24)  # bytes that a protocol buffer may have, and some room


def onnx_writer(program: ExportedProgram, card: ModelCard) -> Write:
    """Writes ONNX files.

    Raises:
        SightlineError: the model is larger than an ONNX file may be, or has an operation that ONNX lacks.
    """
    outputs = ["scores", "boxes"] if card.task == "detection" else ["scores"]
    try:
        with without_advice():
            converted = torch.onnx.export(
                program, dynamo=True, input_names=["images"], output_names=outputs, verbose=False
            )
            assert converted is not None
            model = converted.model_proto
    except Exception as error:  # torch.onnx has many
        raise SightlineError(f"the model cannot be written as ONNX ({first_line(error)}).") from error
    if model.ByteSize() > _MOST_ONNX:
        raise SightlineError("the model is larger than the 2 GB that an ONNX file holds; choose pt2.")
    _name_dimensions(model)
    return lambda card, path: save_onnx(model, card, path)


def save_onnx(model: Any, card: ModelCard, path: Path) -> None:
    """Write an ONNX model (an ``onnx.ModelProto``) with a card, in place of one that it has."""
    kept = [one for one in model.metadata_props if one.key != CARD_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_text()
    path.write_bytes(model.SerializeToString())


def pt2_writer(program: ExportedProgram) -> Write:
    """Writes files for ``torch.export.load``."""

    def write(card: ModelCard, path: Path) -> None:
        buffer = BytesIO()  # first, as torch does not say that a disk is full
        with without_advice():
            torch.export.save(program, buffer, extra_files={CARD_KEY: card.to_text()})
        path.write_bytes(buffer.getbuffer())

    return write


def torchscript_writer(traced: torch.jit.ScriptModule) -> Write:
    """Writes files for ``torch.jit.load``."""

    def write(card: ModelCard, path: Path) -> None:
        buffer = BytesIO()
        with without_advice():
            torch.jit.save(traced, buffer, _extra_files={CARD_KEY: card.to_text()})
        path.write_bytes(buffer.getbuffer())

    return write


def traced(graph: Graph, images: torch.Tensor) -> torch.jit.ScriptModule:
    """The graph as TorchScript, followed with ``images``.

    Raises:
        SightlineError: the model cannot be traced.
    """
    try:
        with without_advice(), torch.inference_mode():
            module = torch.jit.trace(graph, (images,), check_trace=False)
    except Exception as error:  # whatever the model raises, too
        raise SightlineError(f"the model cannot be written as TorchScript ({first_line(error)}).") from error
    assert isinstance(module, torch.jit.ScriptModule)
    return module


def safetensors_writer(graph: Graph) -> Write:
    """Writes the weights of the model in the graph, under the names of its own ``state_dict``."""
    state = graph.model.state_dict()
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}

    def write(card: ModelCard, path: Path) -> None:
        path.write_bytes(save(weights, metadata={CARD_KEY: card.to_text()}))

    return write


def _name_dimensions(model: Any) -> None:
    """Call what may vary by what it is, in place of ``s34``; of names only input and outputs are shown."""
    names: dict[str, str] = {}
    shape = model.graph.input[0].type.tensor_type.shape.dim
    for place, name in ((0, "batch"), (2, "height"), (3, "width")):
        if shape[place].dim_param:
            names.setdefault(shape[place].dim_param, name)
    for value in (*model.graph.input, *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]
    del model.graph.value_info[:]  # which speaks of the old names; whoever loads it infers them
