"""A graph into a file of each format, its card inside."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.export import ExportedProgram

from sightline.deploy.card import CARD_KEY, ModelCard
from sightline.deploy.export.program import example_images, without_advice
from sightline.deploy.graph import Graph
from sightline.errors import SightlineError

_MOST_ONNX = (1 << 31) - (1 << 24)  # bytes that a protocol buffer may have, and some room


def write_onnx(program: ExportedProgram, card: ModelCard, path: Path) -> None:
    """Write an ONNX file.

    Raises:
        SightlineError: the model is larger than an ONNX file may be, or has an operation that ONNX lacks.
    """
    outputs = ["scores", "boxes"] if card.task == "detection" else ["scores"]
    with without_advice():
        try:
            converted = torch.onnx.export(
                program, dynamo=True, input_names=["images"], output_names=outputs, verbose=False
            )
        except Exception as error:  # torch.onnx has many
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
            raise SightlineError(f"the model cannot be written as ONNX ({reason}).") from error
        assert converted is not None
        model = converted.model_proto
    if model.ByteSize() > _MOST_ONNX:
        raise SightlineError(f"{path}: an ONNX file holds at most 2 GB; choose pt2 or safetensors.")
    _name_dimensions(model)
    save_onnx(model, card, path)


def save_onnx(model: Any, card: ModelCard, path: Path) -> None:
    """Write an ONNX model with a card, in place of one that it has."""
    kept = [one for one in model.metadata_props if one.key != CARD_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_text()
    path.write_bytes(model.SerializeToString())


def write_pt2(program: ExportedProgram, card: ModelCard, path: Path) -> None:
    """Write a file for ``torch.export.load``."""
    with without_advice(), path.open("wb") as stream:
        torch.export.save(program, stream, extra_files={CARD_KEY: card.to_text()})


def write_torchscript(graph: Graph, height: int, width: int, card: ModelCard, path: Path) -> None:
    """Write a file for ``torch.jit.load``.

    Raises:
        SightlineError: the model cannot be traced.
    """
    images = example_images(graph, height, width, batch=card.input.batch or 2)
    try:
        with without_advice(), torch.inference_mode():
            traced = torch.jit.trace(graph, (images,), check_trace=False)
            torch.jit.save(traced, path, _extra_files={CARD_KEY: card.to_text()})
    except (RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise SightlineError(f"the model cannot be written as TorchScript ({reason}).") from error


def write_safetensors(graph: Graph, card: ModelCard, path: Path) -> None:
    """Write the weights of the model in the graph, under the names of its own ``state_dict``."""
    weights = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in graph.model.state_dict().items()
    }
    save_file(weights, path, metadata={CARD_KEY: card.to_text()})


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
